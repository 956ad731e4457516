"""The model that a stack file or a command names: a locked id, or a folder with a config.json."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import ModelFacts, find_model
from vllm_eks.planner.models.lock_folders import lock_file
from vllm_eks.planner.vllm_version import Version

if TYPE_CHECKING:
    from vllm_eks.planner.engine.rope_scaling import RopeScaling


def is_folder(reference: str) -> bool:
    """Return whether a stack file names a folder, such as ./my-model, and not an id."""
    return reference.startswith(("./", "../", "/"))


def find_stack_model(reference: str) -> ModelFacts:
    """Return the facts of a stack's model: a locked one, or one in a folder next to the stack file.

    Raises:
        UnknownModel: No locked model has this id.
        WrongQuestion: The folder has no config.json, or one that cannot be planned.
    """
    return _folder_facts(Path(reference).resolve(), reference) if is_folder(reference) else find_model(reference)


@cache
def with_rope_scaling(model: ModelFacts, scaling: "RopeScaling", version: Version) -> ModelFacts:
    """Return the facts of a model that this version serves with another rope scaling."""
    from vllm_eks.planner.engine.rope_scaling import with_scaling

    config = with_scaling(scaling, model.config, version)
    return replace(model, config=config, architecture=parse_config(config, where=model.id))


@cache
def _folder_facts(folder: Path, reference: str) -> ModelFacts:
    _check_config(folder, reference)
    return replace(_read_folder(folder), id=folder.name)


def load_model(reference: str) -> ModelFacts:
    """Return the model with a locked id, or in a folder with a config.json.

    Raises:
        WrongQuestion: Neither exists, or the config.json cannot be planned.
    """
    if lock_file(reference):
        return find_model(reference)
    folder = Path(reference).parent if Path(reference).name == "config.json" else Path(reference)
    if reference and (_is_dir(folder) or is_folder(reference)):
        _check_config(folder, reference)
        return _read_folder(folder)
    return find_model(reference)


def _read_folder(folder: Path) -> ModelFacts:
    # Imported here, because a locked model needs no table of defaults.
    from vllm_eks.planner.search.model_folder import read_model_folder

    return read_model_folder(folder)


def _is_dir(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except (OSError, ValueError):  # a name that is too long for the file system, or has a NUL byte
        return False


def _check_config(folder: Path, reference: str) -> None:
    config = folder / "config.json"
    # A link to nothing is an error of its own, which has the link's name.
    if not _is_dir(folder) or not (config.exists() or config.is_symlink()):
        raise WrongQuestion(f"{reference} has no config.json: put the model's config.json into that folder")
