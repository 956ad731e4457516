"""The folders of models and the catalogue, for reading and for `lock` and `catalog refresh`.

A checkout of the project keeps its data in `vllm_eks/data`, under version control, so that all members of a team plan
with the same facts. An installed package is never written to: a user's own models and catalogue are in the user's data
folder, which is read first.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from vllm_eks.data import DATA
from vllm_eks.errors import WrongQuestion

NAME = "vllm-eks"
CHECKOUT_MARKERS = (".git", "Pulumi.yaml")
"""A folder is a checkout if it contains the package and one of these."""


def data_folders() -> tuple[Path, ...]:
    """Return the folders of models and the catalogue. Data in the first one has priority."""
    if _is_checkout(DATA):
        return (DATA,)
    own = user_data_folder(os.environ, sys.platform)
    return (own, DATA) if own else (DATA,)


def writable_data_folder() -> Path:
    """Return the folder to write models and the catalogue to. It may not exist yet.

    Raises:
        WrongQuestion: The package is installed, and the user has no home folder.
    """
    own = DATA if _is_checkout(DATA) else user_data_folder(os.environ, sys.platform)
    if own is None:
        raise WrongQuestion("there is no home folder to write to: set XDG_DATA_HOME")
    return own


def user_data_folder(environment: Mapping[str, str], platform: str) -> Path | None:
    """Return the folder of a user's own data: in $XDG_DATA_HOME, or else the platform's default. None without a home.

    >>> user_data_folder({"XDG_DATA_HOME": "/home/ann/data"}, "linux").as_posix()
    '/home/ann/data/vllm-eks'
    """
    chosen = environment.get("XDG_DATA_HOME", "")
    # The XDG specification ignores relative paths.
    if Path(chosen).is_absolute():
        return Path(chosen) / NAME
    if platform == "win32" and environment.get("LOCALAPPDATA"):
        return Path(environment["LOCALAPPDATA"]) / NAME
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (Path.home raises where there is none)
    if not home.is_absolute():
        return None
    return home / ("Library/Application Support" if platform == "darwin" else ".local/share") / NAME


def _is_checkout(data: Path) -> bool:
    """Return whether the package's data belongs to a checkout, which may be changed, and not to an installed package.

    Only the parent folder of the package counts, because an environment in a repository is also below its .git.
    """
    root = data.parent.parent
    return any((root / mark).exists() for mark in CHECKOUT_MARKERS) and os.access(data, os.W_OK)
