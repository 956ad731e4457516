"""What vLLM's config classes accept for a value: a name of a list, a number in bounds, and keys of JSON objects.

vLLM checks them when it builds its configuration, after its parser has accepted the value. The limits are in the flag
tables (tests/flag_tables/value_limits.py reads them from the classes).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from vllm_eks.errors import closest_name
from vllm_eks.json_fields import Fields
from vllm_eks.json_values import is_list, is_object

KINDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "text",
    "list": "a list",
    "object": "an object",
    "null": "null",
}
OTHER_PLATFORMS = ("AMX_", "CPU", "ROCM_", "XPU_", "xpu", "ZEN_")
"""Starts of names that work on other hardware only."""
WORDS_FOR_BOOLEANS = ("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "0", "1")
"""Texts that pydantic takes for true or false."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The range of a number. None means no bound."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    @classmethod
    def taken_from(cls, fields: Fields) -> Self:
        """Return the bounds of a row of a table."""
        return cls(
            least=fields.optional("least", float, None),
            most=fields.optional("most", float, None),
            above=fields.optional("above", float, None),
            below=fields.optional("below", float, None),
        )

    def error(self, number: float) -> str | None:
        """Return what a number must be if it is out of the range, or None if it is in it."""
        outside = (
            (self.least is not None and number < self.least)
            or (self.most is not None and number > self.most)
            or (self.above is not None and number <= self.above)
            or (self.below is not None and number >= self.below)
        )
        return f"must be {self._words}" if outside else None

    @property
    def _words(self) -> str:
        words = (
            (self.least, "{:g} or more"),
            (self.above, "above {:g}"),
            (self.most, "{:g} or less"),
            (self.below, "below {:g}"),
        )
        return " and ".join(text.format(bound) for bound, text in words if bound is not None)


@dataclass(frozen=True, kw_only=True)
class KeyLimits:
    """What a key of a JSON object accepts."""

    kinds: tuple[str, ...]
    """Kinds of JSON values, as in KINDS. Empty means any."""
    choices: tuple[str | int, ...]
    """The accepted texts and numbers. Empty means any."""
    bounds: Bounds
    keys: Mapping[str, "KeyLimits"] | None
    """The keys of an object, or None for any keys."""

    @classmethod
    def from_json(cls, row: object, *, where: str) -> Self:
        """Return the limits of a row of a table.

        Raises:
            WrongField: It has a field of another name or type.
        """
        fields = Fields(row, where=where)
        values = fields.optional_object("values")
        read = cls(
            kinds=fields.texts("kinds"),
            choices=tuple(fields.scalars("choices")),
            bounds=Bounds.taken_from(fields),
            keys=key_limits(values, where=where) if values is not None else None,
        )
        fields.end()
        return read

    def error(self, value: object) -> str | None:
        """Return what the value must be if vLLM refuses it, or None if vLLM accepts it."""
        kinds = tuple(_kinds_of(value))
        if self.kinds and not any(kind in self.kinds for kind in kinds):
            return f"{value!r} must be {_either([KINDS[kind] for kind in self.kinds])}"
        if self.choices and not is_object(value) and value is not None:
            return self._choice_error(value)
        if isinstance(value, int | float):
            wrong = self.bounds.error(value)
            return f"{value!r} {wrong}" if wrong else None
        return None

    def _choice_error(self, value: object) -> str | None:
        numbers = all(isinstance(choice, int) for choice in self.choices)
        if numbers and type(value) is not int:
            return f"{value!r} must be one of {', '.join(map(str, self.choices))}"
        if isinstance(value, bool):
            return None
        return choice_error(str(value), tuple(map(str, self.choices)), folds_case=self._folds_case)

    @property
    def _folds_case(self) -> bool:
        # vLLM's own enums are looked up in upper case.
        return all(str(choice).isupper() or choice == "auto" for choice in self.choices)


def key_limits(rows: Mapping[str, object], *, where: str) -> dict[str, KeyLimits]:
    """Return the limits of each key of an object, from the rows of a table."""
    return {name: KeyLimits.from_json(row, where=f"{where}.{name}") for name, row in rows.items()}


def object_error(document: Mapping[str, object], keys: Mapping[str, KeyLimits], *, path: str = "") -> str | None:
    """Return the first key or value of a JSON object that vLLM refuses, with a fix, or None."""
    for name, value in document.items():
        limits = keys.get(name)
        if limits is None:
            near = closest_name(name, tuple(keys))
            return f"unknown key {path + name!r}: " + (f"did you mean {near}?" if near else "remove it")
        wrong = limits.error(value)
        if wrong:
            return f"{path}{name}: {wrong}"
        if limits.keys is not None and is_object(value):
            inner = object_error(value, limits.keys, path=f"{path}{name}.")
            if inner:
                return inner
    return None


def choice_error(value: str, choices: Sequence[str], *, folds_case: bool) -> str | None:
    """Return that a name is not one of the choices, with the nearest one or all of them, or None if it is one."""
    given, known = (value.upper(), [one.upper() for one in choices]) if folds_case else (value, choices)
    if given in known:
        return None
    near = closest_name(value, choices)
    usual = [one for one in choices if one != "None" and not one.startswith(OTHER_PLATFORMS)]
    return f"{value!r} is not a valid choice: " + (
        f"did you mean {near}?" if near else f"use one of {', '.join(usual)}"
    )


def _kinds_of(value: object) -> Iterator[str]:
    """Yield the kinds as which pydantic takes a JSON value."""
    if value is None:
        yield "null"
    elif isinstance(value, bool):
        yield from ("boolean", "integer", "number")
    elif isinstance(value, int | float):
        yield "number"
        if value == int(value):
            yield "integer"
        if value in (0, 1):
            yield "boolean"
    elif isinstance(value, str):
        yield "text"
        if re.fullmatch(r"\s*[+-]?\d+\s*", value):
            yield from ("integer", "number")
        elif re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", value, re.IGNORECASE):
            yield "number"
        if value.lower() in WORDS_FOR_BOOLEANS:
            yield "boolean"
    elif is_list(value):
        yield "list"
    else:
        yield "object"


def _either(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
