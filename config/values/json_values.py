"""JSON and YAML documents as the values they are: keys are text, and nothing is known of the rest."""

from typing import TypeGuard


def is_mapping(value: object) -> TypeGuard[dict[str, object]]:
    """Return whether a value of a document is a mapping; its keys are text, since the reader refuses others."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Return whether a value of a document is a list."""
    return isinstance(value, list)
