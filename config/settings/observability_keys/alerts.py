"""The limits of alerts that the plan does not have."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.values import alert_rules
from vllm_eks.monitoring.rules import ALERT_NAMES
from vllm_eks.planner.load.service_level import ServiceLevel, parse_limit
from vllm_eks.specs.alerts import DEFAULT_CAPACITY_BLOCK_HOURS, DEFAULT_CERTIFICATE_DAYS, AlertsSpec

ITS_TRAFFIC = absent("the limit of the model's `traffic`, or no limit")
Ttft = Annotated[str, AfterValidator(alert_rules.ttft)]
Itl = Annotated[str, AfterValidator(alert_rules.itl)]
E2e = Annotated[str, AfterValidator(alert_rules.e2e)]


class AlertsSettings(Settings):
    """The limits of alerts."""

    ttft: Ttft | None = Field(
        default=None,
        description="The limit of the time to first token of every model, at a percentile of the requests.",
        examples=["1s@p90"],
        json_schema_extra=ITS_TRAFFIC,
    )
    itl: Itl | None = Field(
        default=None,
        description="The limit of the time between two tokens of every model, at a percentile of the tokens.",
        examples=["40ms@p50"],
        json_schema_extra=ITS_TRAFFIC,
    )
    e2e: E2e | None = Field(
        alias="e2e",
        default=None,
        description="The limit for whole requests to every model, at a percentile of the requests.",
        examples=["20s@p99"],
        json_schema_extra=ITS_TRAFFIC,
    )
    monthly_budget_usd: (
        Annotated[float, AfterValidator(alert_rules.monthly_budget_usd), InSchema(exclusiveMinimum=0)] | None
    ) = Field(
        default=None,
        description=(
            "The dollars a month of GPU nodes, at the list prices of the preview, above which an alert fires. It is "
            "compared with 730 hours of the nodes that ran in the last day."
        ),
        examples=[40000],
        json_schema_extra=absent("no alert about the bill"),
    )
    certificate_days: Annotated[
        int,
        AfterValidator(alert_rules.certificate_days),
        InSchema(minimum=1, maximum=alert_rules.MOST_CERTIFICATE_DAYS),
    ] = Field(
        default=DEFAULT_CERTIFICATE_DAYS,
        description="The days before the end of the endpoint's certificate at which an alert fires.",
        examples=[30],
    )
    capacity_block_hours: Annotated[
        int,
        AfterValidator(alert_rules.capacity_block_hours),
        InSchema(minimum=1, maximum=alert_rules.MOST_CAPACITY_BLOCK_HOURS),
    ] = Field(
        default=DEFAULT_CAPACITY_BLOCK_HOURS,
        description="The hours before the end of a Capacity Block at which an alert fires.",
        examples=[48],
    )
    runbook_base_url: (
        Annotated[
            str, AfterValidator(alert_rules.runbook_base_url), InSchema(pattern=alert_rules.RUNBOOK_BASE_URL.pattern)
        ]
        | None
    ) = Field(
        default=None,
        description="The https:// address of a copy of `docs/runbooks`, to which every alert links.",
        examples=["https://git.example.com/platform/vllm-eks/blob/main/docs/runbooks"],
        json_schema_extra=absent("alerts name the page as a path of this repository"),
    )
    off: Annotated[
        tuple[str, ...],
        AfterValidator(alert_rules.alert_names),
        InSchema(items={"enum": list(ALERT_NAMES)}, uniqueItems=True),
    ] = Field(
        default=(),
        strict=False,
        description="Alerts that the stack does not have, by name.",
        examples=[["VllmEksGroupRestarting"]],
    )

    @property
    def spec(self) -> AlertsSpec:
        """The settings for the rules."""
        return AlertsSpec(
            level=ServiceLevel(
                ttft=parse_limit(self.ttft) if self.ttft else None,
                itl=parse_limit(self.itl) if self.itl else None,
                e2e=parse_limit(self.e2e) if self.e2e else None,
            ),
            monthly_budget_usd=self.monthly_budget_usd,
            certificate_days=self.certificate_days,
            capacity_block_hours=self.capacity_block_hours,
            runbook_base_url=self.runbook_base_url,
            off=self.off,
        )


class AlertKeys(Settings):
    """The alerts of a stack with metrics."""

    alerts: AlertsSettings = Field(
        default=AlertsSettings(),
        description="Limits of alerts, for a stack that sets `prometheus`.",
        examples=[{"monthlyBudgetUsd": 40000}],
        json_schema_extra=absent("the limits of the plan and of each model's `traffic`"),
    )
