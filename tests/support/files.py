"""Writes files that a test changes repeatedly."""

from pathlib import Path


def rewrite(path: Path, content: str | bytes) -> None:
    """Write a file that may exist. It is removed first, because ext4 waits for the disk when a file is truncated and
    rewritten."""
    path.unlink(missing_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
