"""Where `lock` and `catalog refresh` write, and where models and the catalogue are read.

A checkout of the project has its data in `vllm_eks/data`, under version control, so that every member of a team plans
with the same facts. An installed package is never written to: a user's own models and catalogue are in the user's data
folder, and are read before the shipped ones.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from vllm_eks.data import DATA
from vllm_eks.errors import WrongQuestion

NAME = "vllm-eks"
MARKS_OF_A_CHECKOUT = (".git", "Pulumi.yaml")
"""A folder that has one of them beside the package is a checkout."""


def data_folders() -> tuple[Path, ...]:
    """Return the folders that models and the catalogue are read from; what the first one has counts."""
    if _is_checkout(DATA):
        return (DATA,)
    own = user_data_folder(os.environ, sys.platform)
    return (own, DATA) if own else (DATA,)


def writable_data_folder() -> Path:
    """Return the folder that models and the catalogue are written into; it need not exist yet.

    Raises:
        WrongQuestion: The package is installed, and the user has no home folder.
    """
    own = DATA if _is_checkout(DATA) else user_data_folder(os.environ, sys.platform)
    if own is None:
        raise WrongQuestion("there is no home folder to write into: set XDG_DATA_HOME to a folder")
    return own


def user_data_folder(environment: Mapping[str, str], platform: str) -> Path | None:
    """Return the folder of a user's own data: in $XDG_DATA_HOME, else the platform's place; None without a home.

    >>> user_data_folder({"XDG_DATA_HOME": "/home/ann/data"}, "linux").as_posix()
    '/home/ann/data/vllm-eks'
    """
    chosen = environment.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path is ignored.
    if Path(chosen).is_absolute():
        return Path(chosen) / NAME
    if platform == "win32" and environment.get("LOCALAPPDATA"):
        return Path(environment["LOCALAPPDATA"]) / NAME
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (Path.home raises where there is none)
    if not home.is_absolute():
        return None
    return home / ("Library/Application Support" if platform == "darwin" else ".local/share") / NAME


def _is_checkout(data: Path) -> bool:
    """Return whether the package's data is a checkout's that may be changed, not an installed package's.

    Only the folder right above the package counts: an environment in a repository is below its .git too.
    """
    root = data.parent.parent
    return any((root / mark).exists() for mark in MARKS_OF_A_CHECKOUT) and os.access(data, os.W_OK)
