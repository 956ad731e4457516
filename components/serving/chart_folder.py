"""A Helm chart as a folder on this machine: what is in it, and how to name it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

VLLM_CHART = Path(__file__).parents[2] / "charts" / "vllm"
"""Our own chart."""


@dataclass(frozen=True, kw_only=True)
class LocalChart:
    """A chart on this machine, as a Release takes it."""

    path: str
    digest: str
    """Of its files: among a Release's values it shows that a template changed."""


def local_chart(folder: Path) -> LocalChart:
    """Return the chart in a folder.

    Raises:
        FileNotFoundError: The folder has no file.
    """
    return LocalChart(path=chart_path(folder), digest=chart_digest(folder))


def chart_digest(folder: Path) -> str:
    """Return the SHA-256 of a folder's files: their paths and their bytes, in the order of the paths.

    Pulumi compares a Release's values and its chart's version, never its templates: without this digest among the
    values an edited template goes unnoticed.

    Raises:
        FileNotFoundError: The folder has no file.
    """
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if _is_content(path))
    if not files:
        raise FileNotFoundError(f"no chart in {folder}")
    digest = hashlib.sha256()
    for relative_path, path in files:
        content = path.read_bytes()
        # Lengths first, so that no byte can move from one file to the next unnoticed.
        digest.update(f"{len(relative_path.encode())} {relative_path} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _is_content(path: Path) -> bool:
    # Running a script of the chart leaves bytecode beside it, which is no part of it.
    return path.is_file() and "__pycache__" not in path.parts


def chart_path(folder: Path) -> str:
    """Return the chart's path for a Release: relative (`./charts/vllm`) inside the working folder, else absolute.

    Pulumi runs the program in the project's folder, so the path in the state is the same on every machine.
    """
    absolute = folder.resolve()
    working_folder = Path.cwd().resolve()
    if absolute.is_relative_to(working_folder):
        return f"./{absolute.relative_to(working_folder).as_posix()}"
    return str(absolute)
