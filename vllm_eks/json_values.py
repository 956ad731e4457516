"""What kind of JSON a value is, said so that a type checker knows it too."""

from typing import Any, TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a JSON value is an object. Its keys are text, as in all JSON."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether a JSON value is a list."""
    return isinstance(value, list)


def object_or_empty(value: object) -> dict[str, Any]:
    """Return a JSON value that is an object, else an empty one."""
    return value if is_object(value) else {}


def list_or_empty(value: object) -> list[Any]:
    """Return a JSON value that is a list, else an empty one."""
    return value if is_list(value) else []
