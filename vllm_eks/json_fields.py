"""Reads a row of JSON into a dataclass, field by field, with one clear error if the row has another format."""

from collections.abc import Sequence
from typing import TypeGuard, TypeVar

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object

Kind = TypeVar("Kind", bound=str | float)
Default = TypeVar("Default")
Choice = TypeVar("Choice", bound=str)

WORDS: dict[type[object], str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


class WrongField(WrongQuestion):
    """A row lacks a field, has an unknown one, or has a value of another type."""


class Fields:
    """The fields of one JSON object. Each is read once by name, and `end` refuses unknown ones."""

    def __init__(self, row: object, *, where: str) -> None:
        """Start to read a row.

        Args:
            row: The JSON value.
            where: The row's name in messages.

        Raises:
            WrongField: The row is not a JSON object.
        """
        self._where = where
        if not is_object(row):
            raise self._wrong("must be a JSON object")
        self._left = dict(row)

    def required(self, name: str, kind: type[Kind]) -> Kind:
        """Return a required field."""
        return self._checked(name, self._taken(name), kind)

    def nullable(self, name: str, kind: type[Kind]) -> Kind | None:
        """Return a required field that is null if its value is unknown."""
        value = self._taken(name)
        return None if value is None else self._checked(name, value, kind)

    def optional(self, name: str, kind: type[Kind], default: Default) -> Kind | Default:
        """Return an optional field. Null means the default if that is None."""
        value: object = self._left.pop(name, default)
        return default if value is default else self._checked(name, value, kind)

    def choice(self, name: str, choices: Sequence[Choice]) -> Choice:
        """Return a required field with one of a few values."""
        value = self.required(name, str)
        for choice in choices:
            if choice == value:
                return choice
        raise self._wrong(f"{name} {value!r} must be one of {', '.join(choices)}")

    def scalar(self, name: str) -> str | float | bool | None:
        """Return a field with any value except an object or a list. A missing one is null."""
        value: object = self._left.pop(name, None)
        if value is None or isinstance(value, str | int | float):
            return value
        raise self._wrong(f"{name} must be one value")

    def scalars(self, name: str) -> tuple[str | int, ...]:
        """Return a list of texts and whole numbers. A missing list is empty."""
        value: object = self._left.pop(name, [])
        if not is_list(value):
            raise self._wrong(f"{name} {value!r} must be a list")
        found = [one for one in value if isinstance(one, str | int) and not isinstance(one, bool)]
        if len(found) != len(value):
            raise self._wrong(f"{name} {value!r} must be texts and whole numbers")
        return tuple(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts. A missing list is empty."""
        if name not in self._left:
            return ()
        return tuple(self._text_list(name, self._left.pop(name)))

    def json_object(self, name: str) -> dict[str, object]:
        """Return a required object, unchanged."""
        value = self._taken(name)
        if not is_object(value):
            raise self._wrong(f"{name} {value!r} must be a JSON object")
        return value

    def optional_object(self, name: str) -> dict[str, object] | None:
        """Return an optional object, unchanged. It may be null."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return None
        return self.json_object(name)

    def by_name(self, name: str, kind: type[Kind]) -> dict[str, Kind]:
        """Return an object with values of one type. A missing object is empty."""
        found = self.json_object(name) if name in self._left else {}
        return {key: self._checked(f"{name}.{key}", value, kind) for key, value in found.items()}

    def lists_by_name(self, name: str) -> dict[str, list[str]]:
        """Return an object with lists of texts. A missing object is empty."""
        found = self.json_object(name) if name in self._left else {}
        return {key: self._text_list(f"{name}: {key}", value) for key, value in found.items()}

    def end(self) -> None:
        """Refuse unknown fields.

        Raises:
            WrongField: The row has fields that were not read.
        """
        for name in self._left:
            raise self._wrong(f"{name} is not a known key")

    def _taken(self, name: str) -> object:
        if name not in self._left:
            raise self._wrong(f"{name} is missing")
        return self._left.pop(name)

    def _text_list(self, name: str, value: object) -> list[str]:
        if not is_list(value):
            raise self._wrong(f"{name} {value!r} must be a list")
        return [self._checked(name, item, str) for item in value]

    def _checked(self, name: str, value: object, kind: type[Kind]) -> Kind:
        if not _is(value, kind):
            raise self._wrong(f"{name} {value!r} must be {WORDS[kind]}")
        return value

    def _wrong(self, what: str) -> WrongField:
        return WrongField(f"{self._where}: {what}")


def _is(value: object, kind: type[Kind]) -> TypeGuard[Kind]:
    # In Python a bool is an int, but not in JSON.
    return type(value) is kind or (kind is float and type(value) is int)
