"""Where lock files are: next to the stack file, in the user's data folder, and in the package."""

import os
from functools import cache
from pathlib import Path

from vllm_eks.data.folders import data_folders, writable_data_folder

MODELS = "models"
"""The folder of lock files in a data folder."""
ENDING = ".json"


def lock_file_name(model_id: str) -> str:
    """Return the name of a model's lock file."""
    return model_id.replace("/", "--") + ENDING


def lock_file(model_id: str) -> Path | None:
    """Return a model's lock file, or None if it is not locked.

    Files next to the stack file override the user's, and the user's override the shipped ones.
    """
    name = lock_file_name(model_id)
    # The names are listed, because some file systems find a name in another case.
    return next((folder / name for folder in _folders() if "/" in model_id and name in _names(folder)), None)


def locked_model_ids() -> tuple[str, ...]:
    """Return the ids of all locked models, sorted."""
    names = {name for folder in _folders() for name in _names(folder) if name.endswith(ENDING)}
    return tuple(sorted(name.removesuffix(ENDING).replace("--", "/", 1) for name in names))


def writable_models_folder() -> Path:
    """Return the folder to write lock files to: models/ next to the stack file, or else the one in the user's data
    folder.

    It may not exist yet.

    Raises:
        WrongQuestion: There is no writable data folder.
    """
    return stack_models_folder() or writable_data_folder() / MODELS


def stack_models_folder() -> Path | None:
    """Return the folder models/ next to the stack file, or None if there is none."""
    folder = Path.cwd() / MODELS
    return folder if folder.is_dir() and (folder.parent / "Pulumi.yaml").is_file() else None


def _folders() -> tuple[Path, ...]:
    beside = stack_models_folder()
    return (*((beside,) if beside else ()), *(folder / MODELS for folder in data_folders()))


@cache
def _names(folder: Path) -> frozenset[str]:
    # Names alone are cheaper than paths.
    return frozenset(os.listdir(folder)) if folder.is_dir() else frozenset()  # noqa: PTH208
