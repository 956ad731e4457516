"""The keys of logs that outlive their pods."""

from typing import Annotated, Literal

from pydantic import Field

from config.settings.base import Settings, absent

Logs = Literal["cloudWatch"]


class LogKeys(Settings):
    """Where the containers' logs are kept, and for how long."""

    logs: Logs | None = Field(
        default=None,
        description="Where the logs of all containers are kept. `cloudWatch`: in a log group of the stack.",
        examples=["cloudWatch"],
        json_schema_extra=absent("logs end with their pods"),
    )
    log_retention_days: Annotated[int, Field(ge=1)] = Field(
        default=30,
        description="For `logs`: the days that logs are kept.",
        examples=[90],
    )
