"""JSON values: parsing, and type guards."""

import json
from typing import TypeGuard

LONGEST_VALUE = 60
"""Longest part of a value shown in a message, in characters."""


def parse_json(text: str) -> object:
    """Return the JSON value of a text from a user.

    Raises:
        ValueError: It is not JSON, or is nested a thousand levels deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Return whether a JSON value is an object. All keys in JSON are text."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Return whether a JSON value is a list."""
    return isinstance(value, list)


def object_or_empty(value: object) -> dict[str, object]:
    """Return a JSON value if it is an object, or else an empty one."""
    return value if is_object(value) else {}


def list_or_empty(value: object) -> list[object]:
    """Return a JSON value if it is a list, or else an empty one."""
    return value if is_list(value) else []


def shown(value: object) -> str:
    """Return a value as JSON for a message, cut if it is long."""
    text = json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
