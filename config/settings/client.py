"""What one named client may use: the values of the section `clients`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.values import client_rules


class ClientSettings(Settings):
    """The limits of one client."""

    models: (
        Annotated[
            tuple[str, ...],
            AfterValidator(client_rules.some_models),
            InSchema(minItems=1, uniqueItems=True),
        ]
        | None
    ) = Field(
        default=None,
        strict=False,
        description="The models that the client's key may use. On others it gets HTTP 403.",
        examples=[["llama-4-scout"]],
        json_schema_extra=absent("every model of the stack"),
    )
