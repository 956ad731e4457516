"""Changes nested arguments by field name."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

Args = TypeVar("Args")


def replaced(args: Args, **changes: Any) -> Args:
    """Return a dataclass with some fields changed, its own or those of nested dataclasses."""
    assert is_dataclass(args)
    assert not isinstance(args, type)
    own = {field.name for field in fields(args)}
    made = replace(args, **{name: value for name, value in changes.items() if name in own})
    for name, value in changes.items():
        if name in own:
            continue
        inner = [one for one in own if name in _field_names(getattr(made, one))]
        assert len(inner) == 1, f"{type(args).__name__} has {len(inner)} fields {name}"
        made = replace(made, **{inner[0]: replaced(getattr(made, inner[0]), **{name: value})})
    return made


def _field_names(value: object) -> set[str]:
    """Return the field names of a dataclass and of nested ones."""
    if not is_dataclass(value):
        return set()
    names = {field.name for field in fields(value)}
    return names.union(*(_field_names(getattr(value, name)) for name in names))
