"""The limits of alerts that the plan does not have."""

from typing import Annotated

from pydantic import Field

from config.settings.base import Settings, absent


class AlertsSettings(Settings):
    """The limits of alerts."""

    monthly_budget_usd: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="The dollars a month above which an alert fires, at the list prices of the preview.",
        examples=[40000],
        json_schema_extra=absent("no alert about the bill"),
    )


class AlertKeys(Settings):
    """The alerts of a stack with metrics."""

    alerts: AlertsSettings = Field(
        default=AlertsSettings(),
        description="Limits of alerts, for a stack that sets `prometheus`.",
        examples=[{"monthlyBudgetUsd": 40000}],
        json_schema_extra=absent("the limits of the plan and of each model's `traffic`"),
    )
