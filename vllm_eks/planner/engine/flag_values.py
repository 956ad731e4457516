"""The values that a vLLM flag accepts, as tested with the real parsers (tests/flag_tables/make_table.py)."""

import re
from collections.abc import Sequence

from vllm_eks.errors import closest_name
from vllm_eks.json_values import is_object, parse_json
from vllm_eks.planner.engine.flag_tables import Flag

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


def value_error(flag: Flag, values: Sequence[str]) -> str | None:
    """Return the error in the values of a flag with a fix, or None when vLLM accepts them."""
    if flag.form == "flag":
        return None
    if not values:
        return None if flag.nargs == "?" else "has no value: add it as the next item"
    return next((error for value in values if (error := _error_of(flag, value))), None)


def _error_of(flag: Flag, value: str) -> str | None:
    is_none = flag.none and value in ("", "None")
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
    if given in flag.choices:
        return None
    near = closest_name(value, flag.choices)
    return f"{value!r} is not a valid choice: " + (f"did you mean {near}?" if near else f"use one of {_list(flag)}")


def _list(flag: Flag) -> str:
    return ", ".join(choice for choice in flag.choices if choice != "None")


def human_integer(text: str) -> int:
    """Return a whole number with or without a suffix, as vLLM reads it.

    >>> human_integer("8k"), human_integer("8K"), human_integer("1.5g")
    (8000, 8192, 1500000000)
    """
    number = text.strip()
    factor = FACTORS.get(number[-1:])
    return int(float(number[:-1]) * factor) if factor else int(number)


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
