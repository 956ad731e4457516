"""Whole numbers in a config.json."""

from collections.abc import Mapping
from typing import Any, TypeGuard

LARGEST_NUMBER = 10**9


def is_count(value: object) -> TypeGuard[int]:
    """Return whether a JSON value is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def count(fields: Mapping[str, Any], *names: str) -> int:
    """Return the first of these fields that is a whole number above 0, or 0."""
    return next((int(fields[name]) for name in names if is_count(fields.get(name))), 0)
