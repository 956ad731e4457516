"""Read a row of JSON into a dataclass field by field, with one clear sentence where the row has another form."""

from collections.abc import Sequence
from typing import TypeGuard, TypeVar

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object

Kind = TypeVar("Kind", bound=str | float)
Default = TypeVar("Default")
Choice = TypeVar("Choice", bound=str)

WORDS: dict[type[object], str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


class WrongField(WrongQuestion):
    """A row lacks a field, has one that nobody knows, or has a value of another type."""


class Fields:
    """The fields of one JSON object. Each is taken once by its name; `end` refuses a row with more than those."""

    def __init__(self, row: object, *, where: str) -> None:
        """Begin to read a row.

        Args:
            row: The JSON value.
            where: What the row is of, for messages.

        Raises:
            WrongField: The row is no JSON object.
        """
        self._where = where
        if not is_object(row):
            raise self._wrong("must be a JSON object")
        self._left = dict(row)

    def required(self, name: str, kind: type[Kind]) -> Kind:
        """Take a field that every row has."""
        return self._checked(name, self._taken(name), kind)

    def nullable(self, name: str, kind: type[Kind]) -> Kind | None:
        """Take a field that every row has, with null where its value is not known."""
        value = self._taken(name)
        return None if value is None else self._checked(name, value, kind)

    def optional(self, name: str, kind: type[Kind], default: Default) -> Kind | Default:
        """Take a field that may be absent. Null stands for the default where that is None."""
        value: object = self._left.pop(name, default)
        return default if value is default else self._checked(name, value, kind)

    def choice(self, name: str, choices: Sequence[Choice]) -> Choice:
        """Take a field that every row has, with one of a few words."""
        value = self.required(name, str)
        for choice in choices:
            if choice == value:
                return choice
        raise self._wrong(f"{name} {value!r} must be one of {', '.join(choices)}")

    def scalar(self, name: str) -> str | float | bool | None:
        """Take a field with any value but an object or a list. Absent is null."""
        value: object = self._left.pop(name, None)
        if value is None or isinstance(value, str | int | float):
            return value
        raise self._wrong(f"{name} must be one value")

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts. An absent list is empty."""
        if name not in self._left:
            return ()
        value: object = self._left.pop(name)
        if not is_list(value):
            raise self._wrong(f"{name} {value!r} must be a list")
        return tuple([self._checked(name, item, str) for item in value])

    def json_object(self, name: str) -> dict[str, object]:
        """Take an object that every row has, as it is."""
        value = self._taken(name)
        if not is_object(value):
            raise self._wrong(f"{name} {value!r} must be a JSON object")
        return value

    def optional_object(self, name: str) -> dict[str, object] | None:
        """Take an object that may be absent or null, as it is."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return None
        return self.json_object(name)

    def by_name(self, name: str, kind: type[Kind]) -> dict[str, Kind]:
        """Take an object with values of one type. An absent object is empty."""
        found = self.json_object(name) if name in self._left else {}
        return {key: self._checked(f"{name}.{key}", value, kind) for key, value in found.items()}

    def lists_by_name(self, name: str) -> dict[str, list[str]]:
        """Take an object with lists of texts. An absent object is empty."""
        inner = Fields(self._left.pop(name, {}), where=f"{self._where}: {name}")
        return {key: list(inner.texts(key)) for key in tuple(inner._left)}

    def end(self) -> None:
        """Refuse what is left.

        Raises:
            WrongField: The row has fields that nobody took.
        """
        for name in self._left:
            raise self._wrong(f"{name} is not a known key")

    def _taken(self, name: str) -> object:
        if name not in self._left:
            raise self._wrong(f"{name} is missing")
        return self._left.pop(name)

    def _checked(self, name: str, value: object, kind: type[Kind]) -> Kind:
        if not _is(value, kind):
            raise self._wrong(f"{name} {value!r} must be {WORDS[kind]}")
        return value

    def _wrong(self, what: str) -> WrongField:
        return WrongField(f"{self._where}: {what}")


def _is(value: object, kind: type[Kind]) -> TypeGuard[Kind]:
    # A bool is an int to Python, not to JSON.
    return type(value) is kind or (kind is float and type(value) is int)
