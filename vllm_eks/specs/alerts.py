"""The limits of alerts that the plan does not have."""

from dataclasses import dataclass, field

from vllm_eks.planner.load.service_level import ServiceLevel

DEFAULT_CERTIFICATE_DAYS = 21
"""ACM renews a certificate 60 days before its end (ACM user guide, "Managed certificate renewal"). One with three weeks
left was not renewed, and three weeks are enough to renew an imported one by hand."""
DEFAULT_CAPACITY_BLOCK_HOURS = 24
"""One working day to reserve the next block. EC2 terminates the instances 30 minutes before the end (EC2 user guide,
"Capacity Blocks for ML")."""


@dataclass(frozen=True, kw_only=True)
class AlertsSpec:
    """What the stack file says about alerts."""

    level: ServiceLevel = field(default_factory=ServiceLevel)
    """Limits of latencies for every model, instead of the ones of its traffic."""
    monthly_budget_usd: float | None = None
    certificate_days: int = DEFAULT_CERTIFICATE_DAYS
    capacity_block_hours: int = DEFAULT_CAPACITY_BLOCK_HOURS
    runbook_base_url: str | None = None
    """The address of the folder docs/runbooks where on-call engineers read it, or None."""
    off: tuple[str, ...] = ()
    """Names of alerts that are left out."""
