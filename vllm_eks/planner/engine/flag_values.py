"""The values that a vLLM flag accepts: in its parser, as tested with the real ones, and in its config classes."""

import re
from collections.abc import Callable, Mapping, Sequence

from vllm_eks.errors import closest_name
from vllm_eks.json_values import is_object, parse_json
from vllm_eks.planner.engine.flag_tables import Flag
from vllm_eks.planner.value_limits import choice_error, object_error

HUMAN_NUMBER = re.compile(r"\b(\d+(?:\.\d+)?)([kKmMgGtT])\b")
"""A number with a suffix in the JSON of a config class, such as 80m (engine/arg_utils.py of 0.21 to 0.32)."""
FACTORS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
"""Suffix of a number -> factor: lower case is decimal, upper case binary."""
WORDS = {
    "integer": (re.compile(r"\s*[+-]?\d+(_\d+)*\s*"), "a whole number", "4"),
    "human_integer": (re.compile(r"\s*([+-]?\d+|\d+(\.\d+)?[kmgt]|\d+[KMGT])\s*"), "a whole number", "8192 or 8k"),
    "human_integer_or_auto": (re.compile(r"\s*(-?\d+|\d+(\.\d+)?[kmgt]|\d+[KMGT]|auto)\s*"), "a whole number", "8192"),
    "float": (re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE), "a number", "0.9"),
}


def limit_error(flag: Flag, values: Sequence[str]) -> str | None:
    """Return why vLLM's config classes refuse values that its parser accepts, with a fix, or None if they do not."""
    given = [value for value in values if not _is_none(flag, value)]
    return next((error for value in given if (error := _limit_error_of(flag, value))), None)


def _limit_error_of(flag: Flag, value: str) -> str | None:
    if flag.form in NUMBERS:
        wrong = flag.bounds.error(NUMBERS[flag.form](value))
        return f"{value} {wrong}" if wrong else None
    if flag.names:
        return choice_error(value, flag.names, folds_case=flag.folds_names)
    if flag.value_limits is None:
        return None
    document: object = parse_json(json_text(value))
    if not is_object(document):
        return None
    return object_error({_key(flag, key): one for key, one in document.items()}, flag.value_limits)


def _key(flag: Flag, key: str) -> str:
    return key.replace("-", "_") if flag.folds_keys else key


def _is_none(flag: Flag, value: str) -> bool:
    return flag.none and value in ("", "None")


def value_error(flag: Flag, values: Sequence[str]) -> str | None:
    """Return the error in the values of a flag with a fix, or None when vLLM's parser accepts them."""
    if flag.form == "flag":
        return None
    if not values:
        return None if flag.nargs == "?" else "has no value: add it as the next item"
    return next((error for value in values if (error := _error_of(flag, value))), None)


def _error_of(flag: Flag, value: str) -> str | None:
    is_none = _is_none(flag, value)
    if flag.form == "choice":
        return _choice_error(flag, "None" if is_none else value)
    if is_none:
        return None
    if flag.form == "json":
        return _json_error(flag, value)
    if flag.form in WORDS:
        pattern, what, example = WORDS[flag.form]
        if not pattern.fullmatch(value):
            return f"{value!r} is not {what}: write for example {example}"
    return None


def _choice_error(flag: Flag, value: str) -> str | None:
    given = value.lower().replace("-", "_") if flag.folds_case else value
    return None if given in flag.choices else choice_error(value, flag.choices, folds_case=False)


def human_integer(text: str) -> int:
    """Return a whole number with or without a suffix, as vLLM reads it.

    >>> human_integer("8k"), human_integer("8K"), human_integer("1.5g")
    (8000, 8192, 1500000000)
    """
    number = text.strip()
    factor = FACTORS.get(number[-1:])
    return int(float(number[:-1]) * factor) if factor else int(number)


NUMBERS: Mapping[str, Callable[[str], float]] = {
    "integer": int,
    "human_integer": human_integer,
    "human_integer_or_auto": lambda text: -1 if text.strip() == "auto" else human_integer(text),
    "float": float,
}
"""Form of a flag -> how its value becomes a number."""


def json_text(value: str) -> str:
    """Return a JSON value with vLLM's numbers with suffixes written out.

    >>> json_text('{"cpu_bytes_to_use": 80m, "name": "8k"}')
    '{"cpu_bytes_to_use": 80000000, "name": "8k"}'
    """
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', value)
    pieces[::2] = [HUMAN_NUMBER.sub(lambda found: str(human_integer(found[0])), piece) for piece in pieces[::2]]
    return "".join(pieces)


def _json_error(flag: Flag, value: str) -> str | None:
    try:
        document: object = parse_json(json_text(value) if flag.keys else value)
    except ValueError:
        return f"{value!r} is not JSON: write it in single quotes, for example '{{\"key\": 1}}'"
    if not flag.keys:
        return None
    if not is_object(document):
        return f"{value!r} is not a JSON object: write for example '{{\"{flag.keys[0]}\": ...}}'"
    for key in document:
        if key not in flag.keys:
            near = closest_name(key, flag.keys)
            return f"unknown key {key!r}: " + (f"did you mean {near}?" if near else "remove it")
    return None
