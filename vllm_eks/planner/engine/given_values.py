"""Converts values of flags that vLLM's parser has accepted to their types."""

import math

from vllm_eks.json_values import is_object, parse_json
from vllm_eks.planner.engine.flag_reading import GivenFlag
from vllm_eks.planner.engine.flag_values import json_text

FROM_0 = ("--offload-group-size", "--offload-prefetch-step")
"""Flags of whole numbers that may be 0."""


def json_object(given: GivenFlag) -> dict[str, object]:
    """Return a value as a JSON object. The word None is an empty object.

    Raises:
        ValueError: The value is something else.
    """
    if given.values[0] in ("", "None"):
        return {}
    document: object = parse_json(json_text(given.values[0]))
    if not is_object(document):
        raise ValueError(f"{given.values[0]!r} is not a JSON object")
    return document


def backend_name(value: object) -> str | None:
    """Return the name of an attention backend in upper case, or None where vLLM chooses one."""
    return value.upper() if isinstance(value, str) and value.lower() not in ("", "none", "auto") else None


def whole_number(given: GivenFlag) -> int:
    """Return a value as a whole number of 1 or more, or of 0 or more for a size where 0 means off.

    Raises:
        ValueError: The value is something else.
    """
    number = int(given.values[0])
    if number < 1 and given.flag.name not in FROM_0:
        raise ValueError(f"{number} is not 1 or more")
    return number


def size_of(given: GivenFlag) -> float:
    """Return a value as a number of 0 or more.

    Raises:
        ValueError: The value is something else.
    """
    size = float(given.values[0])
    if size < 0:
        raise ValueError(f"{given.values[0]} is below 0")
    if math.isinf(size):
        raise ValueError(f"{given.values[0]} is too large for a number")
    return size
