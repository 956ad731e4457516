"""Writes files that a test changes again and again."""

from pathlib import Path


def write_anew(path: Path, content: str | bytes) -> None:
    """Write a file that may be there. It is removed first: ext4 waits for the disk where one is cut and rewritten."""
    path.unlink(missing_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
