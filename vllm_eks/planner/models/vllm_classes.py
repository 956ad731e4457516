"""What vLLM's registry and classes say of an architecture by its name, from data/vllm_classes.json."""

from collections.abc import Mapping
from functools import cache

from vllm_eks.data import DATA
from vllm_eks.json_files import read_json_object
from vllm_eks.json_values import list_or_empty, object_or_empty
from vllm_eks.planner.vllm_version import OLDEST, Version, parse_version

TABLE = DATA / "vllm_classes.json"


@cache
def _table() -> Mapping[str, object]:
    return read_json_object(TABLE)


def _release(column: str, architecture: str) -> Version | None:
    version = object_or_empty(_table().get(column)).get(architecture)
    return None if version is None else parse_version(str(version))


def first_release(architecture: str) -> Version:
    """Return the first vLLM version that has the architecture, OLDEST for those of 0.10.2 and for unknown names."""
    return _release("first", architecture) or OLDEST


def last_release(architecture: str) -> Version | None:
    """Return the last vLLM version that has an architecture which a later one removed, else None."""
    return _release("last", architecture)


@cache
def _data_parallel_encoders() -> frozenset[object]:
    return frozenset(list_or_empty(_table().get("data_parallel_encoders")))


def can_keep_whole_encoder(architecture: str) -> bool:
    """Return whether the class obeys --mm-encoder-tp-mode data. For others vLLM warns and splits the encoder."""
    return architecture in _data_parallel_encoders()
