"""The keys of logs that outlive their pods."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.values import monitoring_rules

Logs = Literal["cloudWatch"]


class LogKeys(Settings):
    """Where the containers' logs are kept, and for how long."""

    logs: Logs | None = Field(
        default=None,
        description=(
            "Where the logs of the models' pods and Jobs, and of the LeaderWorkerSet controller, are kept. "
            "`cloudWatch`: Fluent Bit on every node writes them to a log group of the stack."
        ),
        examples=["cloudWatch"],
        json_schema_extra=absent("logs end with their pods"),
    )
    log_retention_days: Annotated[
        int,
        AfterValidator(monitoring_rules.log_retention_days),
        InSchema(enum=list(monitoring_rules.LOG_RETENTION_DAYS)),
    ] = Field(
        default=30,
        description="For `logs`: the days that logs are kept.",
        examples=[90],
    )
