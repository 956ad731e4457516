"""What kind of JSON a value is, said so that a type checker knows it too."""

from typing import TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Return whether a JSON value is an object. Its keys are text, as in all JSON."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Return whether a JSON value is a list."""
    return isinstance(value, list)


def object_or_empty(value: object) -> dict[str, object]:
    """Return a JSON value that is an object, else an empty one."""
    return value if is_object(value) else {}


def list_or_empty(value: object) -> list[object]:
    """Return a JSON value that is a list, else an empty one."""
    return value if is_list(value) else []
