"""A Helm chart in a local folder: its path and a digest of its files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

VLLM_CHART = Path(__file__).parents[2] / "charts" / "vllm"
"""The project's own chart."""


@dataclass(frozen=True, kw_only=True)
class LocalChart:
    """A local chart, as arguments of a Release."""

    path: str
    digest: str
    """A digest of the files. As a value of the Release, it shows that a template changed."""


def local_chart(folder: Path) -> LocalChart:
    """Return the chart in a folder.

    Raises:
        FileNotFoundError: The folder has no files.
    """
    return LocalChart(path=chart_path(folder), digest=chart_digest(folder))


def chart_digest(folder: Path) -> str:
    """Return the SHA-256 of the paths and contents of a folder's files, sorted by path.

    Pulumi compares a Release's values and its chart's version, but not its templates. Without this digest among the
    values, an edited template has no effect.

    Raises:
        FileNotFoundError: The folder has no files.
    """
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if _is_content(path))
    if not files:
        raise FileNotFoundError(f"no chart in {folder}")
    digest = hashlib.sha256()
    for relative_path, path in files:
        content = path.read_bytes()
        # Lengths come first, so that bytes cannot move from one file to the next without a change.
        digest.update(f"{len(relative_path.encode())} {relative_path} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _is_content(path: Path) -> bool:
    # Running a script of the chart creates bytecode beside it, which is not part of the chart.
    return path.is_file() and "__pycache__" not in path.parts


def chart_path(folder: Path) -> str:
    """Return the chart's path for a Release: relative (`./charts/vllm`) inside the working folder, or else absolute.

    Pulumi runs the program in the project's folder, so the path in the state is the same on every machine.
    """
    absolute = folder.resolve()
    working_folder = Path.cwd().resolve()
    if absolute.is_relative_to(working_folder):
        return f"./{absolute.relative_to(working_folder).as_posix()}"
    return str(absolute)
