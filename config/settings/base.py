"""The base of all settings, and the types that several of them share."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from config.values import rules

Zone = Annotated[str, AfterValidator(rules.zone)]


class Settings(BaseModel):
    """Base of all settings: unknown keys refused, no silent conversion of types, frozen."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)
