"""The base of all settings, and shared helpers."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetJsonSchemaHandler, field_validator
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from config.errors import NO_VALUE
from config.values import network_rules, rules

ABSENT = "x-absent"
"""The keyword in `config/schema.json` for the meaning of a missing key, if the default value does not show it."""


class InSchema:
    """Adds to a type's JSON Schema what its validator function checks. It does not check anything itself."""

    def __init__(self, *, pattern: re.Pattern[str] | str | None = None, **keywords: Any) -> None:  # noqa: ANN401
        source = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
        self._keywords = keywords | ({"pattern": f"^(?:{source})$"} if source else {})

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the type's schema with the keywords added. Pydantic calls this."""
        return {**handler(schema), **self._keywords}


def absent(meaning: str) -> JsonDict:
    """Return the schema keyword with the meaning of a missing key, for `json_schema_extra`."""
    return {ABSENT: meaning}


Zone = Annotated[str, AfterValidator(network_rules.zone), InSchema(pattern=network_rules.ZONE_IN_ADDRESS_PLAN)]
Image = Annotated[str, AfterValidator(rules.image), InSchema(pattern=rules.IMAGE)]


class Settings(BaseModel):
    """Base of all settings: frozen, strict types, and no unknown keys."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _has_a_value(cls, value: object) -> object:
        """Refuse an empty value of an optional key, which would silently be the default. Sections see theirs first."""
        if value is None:
            raise ValueError(NO_VALUE)
        return value
