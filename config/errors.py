"""Turns errors of the stack file into lines with the key as in the file, the value, and a fix.

The texts come from here and from `config.values.rules`, never from pydantic, whose texts use Python terms.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vllm_eks.stack_files.wording import as_written, key_path, shown

NO_VALUE = "has no value after the colon: set one, or remove the key"


@dataclass(frozen=True, kw_only=True)
class ConfigError:
    """One error in the stack file."""

    key: str
    """As in the stack file, such as `vllm-eks:models.llama-4-scout.zone`."""
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


def report(stack: str, errors: Sequence[ConfigError], environments: Sequence[str] = ()) -> str:
    """Return the whole report: a header, a line for each error, and a note if ESC may have a missing value."""
    header = f"Pulumi.{stack}.yaml has {len(errors)} error{'s' if len(errors) != 1 else ''}:"
    lines = [header, *(f"  {error}" for error in errors)]
    if environments and any(error.text.startswith("is missing") for error in errors):
        lines.append(f"  (values from Pulumi ESC, {', '.join(environments)}, are unknown offline: run pulumi preview)")
    return "\n".join(lines)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return advice for an unknown key: the nearest known one, or else all of them."""
    return nearest_of(name, known, "valid keys")


def nearest_of(name: str, known: Iterable[str], what: str) -> str:
    """Return advice for an unknown name: the nearest known name, or else all of them, which are `what`."""
    known = sorted(known)
    lowered = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    return f"did you mean {lowered[close[0]]}?" if close else f"{what} are {', '.join(known)}"


def from_pydantic(error: ErrorDetails, section: type[BaseModel], start: str) -> ConfigError:
    """Convert a pydantic error into the terms of the stack file."""
    # Pydantic appends "[key]" to the location of an error in a mapping's key. The key itself is enough.
    steps = [step for step in error["loc"] if step != "[key]"]
    return ConfigError(key=key_path(start, *steps), text=_text(error, section, steps))


def _text(error: ErrorDetails, section: type[BaseModel], steps: Sequence[str | int]) -> str:
    value, limits = error["input"], error.get("ctx", {})
    kind = error["type"]
    if kind == "value_error":
        return str(limits["error"])
    if kind == "missing":
        return f"is missing: set {_first_phrase(_field(section, steps))}"
    if kind == "extra_forbidden":
        holder = _holder(section, steps)
        return f"is not a setting: {nearest(str(steps[-1]), yaml_keys(holder))}"
    if value is None:
        return NO_VALUE
    if kind == "literal_error":
        return f"{as_written(value)} is not one of the choices: set {limits['expected'].replace(chr(39), '')}"
    if kind == "greater_than_equal":
        return f"{value} is too small: set {limits['ge']} or more"
    if kind == "less_than_equal":
        return f"{value} is too large: set {limits['le']} or less"
    if kind == "string_too_short":
        return "is empty: set a value, or remove the key"
    return f"{shown(value)}{_wanted(kind, value, _example(section, steps))}"


def _example(section: type[BaseModel], steps: Sequence[str | int]) -> object:
    """Return the example in the reference for the field at the end of the steps, or 1 for an item of a map or list."""
    field = _fields(_holder(section, steps)).get(str(steps[-1]))
    return field.examples[0] if field and field.examples else 1


def _wanted(kind: str, value: object, example: object) -> str:
    """Return what a value of the wrong kind should be, and how to write it."""
    if kind == "string_type":
        if isinstance(value, float) and len(str(value).partition(".")[2]) == 1:
            return f", not text (an unquoted {value}0 becomes {value}): put it in quotes"
        how = "use text" if isinstance(value, (list, dict)) else "put it in quotes"
        return f", not text: {how}"
    if kind.startswith("int"):
        return f", not a whole number: {_whole_number(value, example)}"
    if kind.startswith("float"):
        return f", not a number: {_number(value, example)}"
    if kind.startswith("bool"):
        return ": set true or false, without quotes"
    if kind.startswith(("tuple", "list")):
        how = (
            f"use [{value}]"
            if value and isinstance(value, (str, int, float)) and not isinstance(value, bool)
            else "use [first, second]"
        )
        return f", not a list: {how}"
    return ", not a section: put keys and values below it"


def _number(value: object, example: object) -> str:
    """Return how to write text that may be a number."""
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return "remove the quotes"
    return f"set one such as {example}"


def _whole_number(value: object, example: object) -> str:
    """Return the number that text such as 16k, or 8.5, may mean."""
    text = value.strip() if isinstance(value, str) else ""
    if text.isdecimal():
        return "remove the quotes"
    if re.fullmatch(r"\d{1,3}([,. ]\d{3})+", text):
        return f"write {re.sub(r'[,. ]', '', text)}"
    if found := re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([kKmM])i?[bB]?", text):
        number, power = float(found[1]), 2 if found[2] in "mM" else 1
        return f"write {number * 1000**power:.0f} or {number * 1024**power:.0f}"
    return f"use only digits, such as {example}" if text else f"use a number without a fraction, such as {example}"


def yaml_keys(section: type[BaseModel]) -> list[str]:
    """Return the keys of a section, as spelled in the file."""
    return [field.alias or name for name, field in section.model_fields.items()]


def _field(section: type[BaseModel], steps: Sequence[str | int]) -> FieldInfo:
    """Return the field at the end of the steps, which lead through nested sections."""
    return _fields(_holder(section, steps))[str(steps[-1])]


def _first_phrase(field: FieldInfo) -> str:
    """Return the first sentence of a field's description, for use inside a sentence: without capital and full stop."""
    sentence = (field.description or "a value").split(". ")[0].removesuffix(".")
    return sentence[0].lower() + sentence[1:]


def _holder(section: type[BaseModel], steps: Sequence[str | int]) -> type[BaseModel]:
    """Return the section that contains the last step."""
    for step in steps[:-1]:
        fields = _fields(section)
        nested = [
            kind
            for kind in _kinds(fields[str(step)].annotation if str(step) in fields else None)
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if not nested:
            return section
        section = nested[0]
    return section


def _fields(section: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _kinds(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401  (whatever a field may be annotated with)
    """Return the alternatives of an annotation. An optional section is a union with None."""
    return get_args(annotation) or (annotation,)
