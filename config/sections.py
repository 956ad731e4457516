"""Parses the text of a config key into settings: the valid part, and the errors of the rest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import ErrorDetails

from config.errors import NO_VALUE, ConfigError, from_pydantic
from config.settings.model import ModelSettings
from config.values import rules
from vllm_eks.json_values import is_list, is_object
from vllm_eks.stack_files.wording import key_path, shown

Section = TypeVar("Section", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Parsed(Generic[Section]):
    """The valid part of a section."""

    settings: Section | None
    """None if there is no section. Invalid keys are None here, whatever their type is: only cross-field checks see such
    an object."""
    errors: Sequence[ConfigError] = field(default_factory=tuple)


def parse_section(model: type[Section], value: object, key: str) -> Parsed[Section]:
    """Check a section's values one by one."""
    if not is_object(value):
        error = ConfigError(key=key, text=f"{shown(value)}, not a section: put keys and values below it")
        return Parsed(settings=None, errors=[error])
    # An empty value is a mistake even for an optional key: report it, and check the others.
    empty = {name for name, setting in value.items() if setting is None}
    errors = [ConfigError(key=key_path(key, name), text=NO_VALUE) for name in sorted(empty)]
    pydantic_errors: list[ErrorDetails] = []
    try:
        settings = model.model_validate(value)
        if not empty:
            return Parsed(settings=settings)
    except ValidationError as error:
        pydantic_errors = [details for details in error.errors(include_url=False) if details["loc"][0] not in empty]
    bad_keys = {str(details["loc"][0]) for details in pydantic_errors} | empty
    bad_fields = {name for name, info in model.model_fields.items() if (info.alias or name) in bad_keys}
    return Parsed(
        settings=_good_part(model, value, bad_fields),
        errors=errors + [from_pydantic(details, model, key) for details in pydantic_errors],
    )


def parse_models(value: object, key: str) -> tuple[dict[str, ModelSettings], list[ConfigError]]:
    """Check the map of models, each on its own."""
    if not is_object(value):
        return {}, [ConfigError(key=key, text=f"{shown(value)}, not a section: put a model's name below it")]
    if not value:
        return {}, [ConfigError(key=key, text="has no model: add at least one, with model, instanceType and zone")]
    models: dict[str, ModelSettings] = {}
    errors: list[ConfigError] = []
    for name, settings in value.items():
        try:
            rules.model_name(name)
        except ValueError as error:
            errors.append(ConfigError(key=key_path(key, name), text=str(error)))
        parsed = parse_section(ModelSettings, settings, key_path(key, name))
        if parsed.settings is not None:
            models[name] = parsed.settings
        errors += parsed.errors
    return models, errors


def parse_tags(value: object, key: str) -> tuple[dict[str, str], list[ConfigError]]:
    """Check the tags, which map text to text."""
    if not is_object(value):
        return {}, [ConfigError(key=key, text=f"{shown(value)}, not a section: put tags and values below it")]
    errors: list[ConfigError] = []
    for tag, text in value.items():
        place = key_path(key, tag)
        if not isinstance(text, str):
            how = "use text" if is_list(text) or is_object(text) else "put it in quotes"
            errors.append(ConfigError(key=place, text=f"{shown(text)}, not text: {how}"))
            continue
        try:
            rules.tag(tag, text)
        except ValueError as error:
            errors.append(ConfigError(key=place, text=str(error)))
    # A value that is not text has its own error. Other rules still count it as a tag.
    return cast("dict[str, str]", value), errors


def decode(text: str) -> object:
    """Parse a value from Pulumi as JSON. A plain word instead of a section is not JSON, and is returned as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number with more than 4,300 digits, or a thousand brackets
        return text


def _good_part(model: type[Section], value: dict[str, Any], bad_fields: set[str]) -> Section:
    """Build the section from its valid keys. Invalid or missing keys are None."""
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
    """Return a section to build field by field. Assigning runs each field's rules.

    Cached for each kind of section, because creating it takes longer than reading one.
    """
    return create_model(model.__name__, __base__=model, __cls_kwargs__={"frozen": False, "validate_assignment": True})
