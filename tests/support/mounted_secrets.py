"""A mounted Secret that changes as the kubelet changes it."""

from collections.abc import Mapping
from pathlib import Path


def replace(folder: Path, entries: Mapping[str, str]) -> None:
    """Replace all entries at once: the kubelet writes a new folder, and moves the link `..data` to it."""
    new = folder / f"..2026_{len(list(folder.glob('..2026_*')))}"
    new.mkdir()
    for name, content in entries.items():
        (new / name).write_text(content)
    for old in folder.iterdir():
        if not old.name.startswith("."):
            old.unlink()
    (folder / "swap").symlink_to(new.name)
    (folder / "swap").rename(folder / "..data")
    for name in entries:
        (folder / name).symlink_to(f"..data/{name}")
