"""Reads a model from a folder with its config.json and, if there are any, the index of its weights and other files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_files import read_json_object
from vllm_eks.json_values import object_or_empty
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.defaults import fill_defaults
from vllm_eks.planner.models.from_fields.names import UnknownMemory
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.quantization_config import QUANTIZATION_FILE, SEPARATE_QUANTIZATION
from vllm_eks.planner.models.vision import MISTRAL_FILE, MISTRAL_FORMAT

INDEX_FILE = "model.safetensors.index.json"
MOST_BYTES = 10**15


def read_model_folder(folder: Path) -> ModelFacts:
    """Return the facts of a model from its config.json and, if there is one, its safetensors index.

    Raises:
        WrongQuestion: config.json is missing, is not JSON, lacks fields, or has an unsupported architecture.
    """
    config = fill_defaults(read_json_object(folder / "config.json", allow_infinity=True))
    if _is_there(folder / MISTRAL_FILE):
        config = {**config, MISTRAL_FORMAT: True}
    separate = folder / QUANTIZATION_FILE
    if _is_there(separate):
        config = {**config, SEPARATE_QUANTIZATION: read_json_object(separate)}
    index_path = folder / INDEX_FILE
    index = read_json_object(index_path) if _is_there(index_path) else {}
    known = _total_size(index, str(index_path))
    try:
        architecture = parse_config(config, where=str(folder))
    except UnknownMemory as error:
        raise error.with_weights(known) from None
    facts = ModelFacts(
        id=str(folder),
        revision=None,
        gated=False,
        architecture=architecture,
        weights_source="index" if known else "computed",
        known_weights_bytes=known,
        config=config,
    )
    if known:
        facts.check_size(f"{index_path}: metadata.total_size")
    return facts


def _is_there(file: Path) -> bool:
    """Return whether there is a file or a link. A link to nothing is an error, not an absent file."""
    return file.exists() or file.is_symlink()


def _total_size(index: Mapping[str, Any], where: str) -> int | None:
    """Return the bytes of the checkpoint by its index, or None without an index.

    Raises:
        WrongQuestion: The value in the index is not a number of bytes.
    """
    total: object = object_or_empty(index.get("metadata")).get("total_size")
    if total in (None, 0):
        return None
    if isinstance(total, bool) or not isinstance(total, int | float) or not 0 < total < MOST_BYTES:
        raise WrongQuestion(f"{where}: metadata.total_size {total!r} is not a number of bytes: download the file again")
    return int(total)
