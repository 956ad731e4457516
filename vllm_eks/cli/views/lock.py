"""A lock file as text: bytes by part, and warnings."""

from pathlib import Path
from typing import Any, TextIO

from vllm_eks.cli.views.screen import console, table
from vllm_eks.planner.models.tensors import SortedTensors
from vllm_eks.planner.units import gib


def show_lock_warnings(found: SortedTensors, index_bytes: int | None, header_bytes: int, stream: TextIO) -> None:
    """Print warnings about the numbers in a lock file.

    Args:
        found: The tensors, sorted into parts.
        index_bytes: The size according to the index, or None without an index.
        header_bytes: The size according to the headers.
        stream: The output.
    """
    if index_bytes is not None and index_bytes != header_bytes:
        print(
            f"warning: the index has {index_bytes:,} bytes and the headers {header_bytes:,}: using the headers",
            file=stream,
        )
    if found.unknown:
        names = ", ".join(found.unknown[:3]) + (", ..." if len(found.unknown) > 3 else "")
        print(
            f"warning: {len(found.unknown)} tensors of unknown modules are counted in full on every rank: {names}",
            file=stream,
        )


def show_lock(document: dict[str, Any], before: str | None, found: SortedTensors, path: Path) -> None:
    """Print the content and path of a lock file. `before` is the commit in the previous file."""
    out, parts = console(), document["parts"]
    commit = document["revision"]
    moved = f" (was {before})" if before and before != commit else ""
    out.print(f"{document['id']} at {commit}{moved}", markup=False)
    made = table(out, "GiB", "part", "layers", right=frozenset({"GiB"}))
    for part in ("embedding", "head", "final_norm", "vision"):
        if parts[f"{part}_bytes"]:
            made.add_row(f"{gib(parts[f'{part}_bytes']):.2f}", part.replace("_", " "), "")
    for kind in parts["layers"]:
        size = sum(value for key, value in kind.items() if key != "indices")
        made.add_row(f"{gib(size):.2f}", "each layer", kind["indices"])
    made.add_row(f"{gib(document['weights_bytes']):.2f}", f"total, {parts['parameters'] / 1e9:.2f} B parameters", "")
    out.print(made)
    if found.draft_bytes:
        out.print(f"not counted: {gib(found.draft_bytes):.2f} GiB for multi-token prediction", markup=False)
    out.print(f"written: {_short(path)}", markup=False)


def _short(path: Path) -> Path:
    """Return a short path, relative if the file is below the working folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
