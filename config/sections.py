"""From the text of one config key to settings: what is good of it, and the faults of the rest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import ErrorDetails

from config.errors import NO_VALUE, Fault, from_pydantic
from config.settings.model import ModelSettings
from config.values import rules
from vllm_eks.json_values import is_list, is_object
from vllm_eks.stack_files.wording import key_path, shown

Section = TypeVar("Section", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Parsed(Generic[Section]):
    """A section as far as it is good."""

    settings: Section | None
    """None where there is no section at all. Keys with a fault hold None here, whatever their type says: only cross
    checks see such an object."""
    faults: Sequence[Fault] = field(default_factory=tuple)


def parse_section(model: type[Section], value: object, key: str) -> Parsed[Section]:
    """Check a section's values one by one."""
    if not is_object(value):
        fault = Fault(key=key, text=f"{shown(value)}, not a section: write keys and values below it")
        return Parsed(settings=None, faults=[fault])
    # An empty value is a slip of the pen even where None would do: say so, and look at the others.
    empty = {name for name, setting in value.items() if setting is None}
    faults = [Fault(key=key_path(key, name), text=NO_VALUE) for name in sorted(empty)]
    errors: list[ErrorDetails] = []
    try:
        settings = model.model_validate(value)
        if not empty:
            return Parsed(settings=settings)
    except ValidationError as error:
        errors = [details for details in error.errors(include_url=False) if details["loc"][0] not in empty]
    bad_keys = {str(details["loc"][0]) for details in errors} | empty
    bad_fields = {name for name, info in model.model_fields.items() if (info.alias or name) in bad_keys}
    return Parsed(
        settings=_good_part(model, value, bad_fields),
        faults=faults + [from_pydantic(details, model, key) for details in errors],
    )


def parse_models(value: object, key: str) -> tuple[dict[str, ModelSettings], list[Fault]]:
    """Check the map of models, each by itself."""
    if not is_object(value):
        return {}, [Fault(key=key, text=f"{shown(value)}, not a section: write a model's name below it")]
    if not value:
        return {}, [Fault(key=key, text="has no model: name at least one, with model, instanceType and zone")]
    models: dict[str, ModelSettings] = {}
    faults: list[Fault] = []
    for name, settings in value.items():
        try:
            rules.model_name(name)
        except ValueError as error:
            faults.append(Fault(key=key_path(key, name), text=str(error)))
        parsed = parse_section(ModelSettings, settings, key_path(key, name))
        if parsed.settings is not None:
            models[name] = parsed.settings
        faults += parsed.faults
    return models, faults


def parse_tags(value: object, key: str) -> tuple[dict[str, str], list[Fault]]:
    """Check the tags: text to text, as AWS takes them."""
    if not is_object(value):
        return {}, [Fault(key=key, text=f"{shown(value)}, not a section: write tags and values below it")]
    faults: list[Fault] = []
    for tag, text in value.items():
        place = key_path(key, tag)
        if not isinstance(text, str):
            how = "write text" if is_list(text) or is_object(text) else "put it in quotes"
            faults.append(Fault(key=place, text=f"{shown(text)}, not text: {how}"))
            continue
        try:
            rules.tag(tag, text)
        except ValueError as error:
            faults.append(Fault(key=place, text=str(error)))
    # What is not text has its fault; other rules count it as a tag all the same.
    return cast("dict[str, str]", value), faults


def decode(text: str) -> object:
    """Return what Pulumi hands over as JSON; a bare word in place of a section is not JSON, but itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number of more than 4,300 digits, and a thousand brackets
        return text


def _good_part(model: type[Section], value: dict[str, Any], bad_fields: set[str]) -> Section:
    """Build the section from its good keys alone; a bad or missing one holds None."""
    open_model = cast("type[Section]", _open_model(model))
    in_the_file = {name for name in bad_fields if (model.model_fields[name].alias or name) in value}
    nothing: dict[str, Any] = dict.fromkeys(bad_fields)
    settings = open_model.model_construct(_fields_set=in_the_file, **nothing)
    for name, info in model.model_fields.items():
        alias = info.alias or name
        if name not in bad_fields and alias in value:
            setattr(settings, name, value[alias])
    return settings


@cache
def _open_model(model: type[BaseModel]) -> type[BaseModel]:
    """Return a section to build field by field: assigning runs each field's own rules, which a gap would skip.

    Made once for all faulty sections of a kind: that takes longer than to read them.
    """
    return create_model(model.__name__, __base__=model, __cls_kwargs__={"frozen": False, "validate_assignment": True})
