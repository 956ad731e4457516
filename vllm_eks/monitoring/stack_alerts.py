"""Alerts of the stack: the front door, the end of a Capacity Block, and the bill."""

from collections.abc import Iterator

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import AlertRule, Severity
from vllm_eks.monitoring.series import GAP_SECONDS, Scope, one_line
from vllm_eks.monitoring.watched import WatchedStack
from vllm_eks.planner.search.cost import HOURS_PER_MONTH

DAY, HOUR = 86_400, 3_600
CERTIFICATE_LAST_DAYS = 7
CAPACITY_BLOCK_LAST_HOURS = 2
"""Before these, the alerts become critical."""
ENDPOINT_SECONDS = 300


def stack_alerts(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield the alerts of the stack. Those of its front door and of Capacity Blocks only where it has them."""
    if stack.endpoint:
        yield _not_answering(stack.scope)
        yield from _certificate(stack.scope, stack.alerts.certificate_days)
    if any(model.block_end for model in stack.models):
        yield from _capacity_block(stack.scope, stack.alerts.capacity_block_hours)
    if stack.alerts.monthly_budget_usd is not None:
        yield _month(stack.scope)


def _not_answering(scope: Scope) -> AlertRule:
    probes = scope.of_pods("probe_success", 'model!=""')
    return AlertRule(
        name="VllmEksEndpointNotAnswering",
        # While no group is ready, other alerts say so.
        expr=one_line(
            f"""min by (model, namespace, instance) (last_over_time({probes}[{GAP_SECONDS}s])) == 0
                and on (model, namespace) {scope.held(series.GROUPS_READY)} > 0"""
        ),
        for_seconds=ENDPOINT_SECONDS,
        severity="critical",
        summary="{{ $labels.model }}: {{ $labels.instance }} does not answer, although a group is ready",
        description=(
            "{{ $labels.instance }} has failed the probe from inside the cluster for 5 minutes, although a group of "
            "{{ $labels.model }} is ready. The fault is in front of the pods: DNS, certificate, load balancer or its "
            "rules."
        ),
    )


def _certificate(scope: Scope, days: int) -> Iterator[AlertRule]:
    expiry = scope.of_pods("probe_ssl_earliest_cert_expiry")
    left = f"(min by (model, namespace, instance) (last_over_time({expiry}[{GAP_SECONDS}s])) - time()) / {DAY}"
    steps: list[tuple[int, Severity]] = [(days, "warning")]
    if days > CERTIFICATE_LAST_DAYS:
        steps.append((CERTIFICATE_LAST_DAYS, "critical"))
    for step, severity in steps:
        yield AlertRule(
            name="VllmEksCertificateEnding",
            expr=f"{left} < {step}",
            for_seconds=HOUR,
            severity=severity,
            summary="{{ $labels.instance }}: the certificate ends in {{ $value | humanize }} days",
            description=(
                "The certificate of {{ $labels.instance }} ends in {{ $value | humanize }} days. ACM renews its own "
                "60 days before the end, so the renewal has failed, or the certificate was imported."
            ),
        )


def _capacity_block(scope: Scope, hours: int) -> Iterator[AlertRule]:
    left = f"({scope.own(series.BLOCK_END_SECONDS)} - time()) / {HOUR}"
    planned = scope.own(series.GROUPS_PLANNED)
    steps: list[tuple[int, Severity]] = [(hours, "warning")]
    if hours > CAPACITY_BLOCK_LAST_HOURS:
        steps.append((CAPACITY_BLOCK_LAST_HOURS, "critical"))
    for step, severity in steps:
        yield AlertRule(
            name="VllmEksCapacityBlockEnding",
            expr=f"0 < {left} < {step} and on (model, namespace) {planned} > 0",
            for_seconds=0,
            severity=severity,
            summary="{{ $labels.model }}: its Capacity Block ends in {{ $value | humanize }} hours",
            description=(
                "The Capacity Block of {{ $labels.model }} ends in {{ $value | humanize }} hours. EC2 terminates its "
                "instances 30 minutes before, and the model stops."
            ),
        )


def _month(scope: Scope) -> AlertRule:
    month = f"{HOURS_PER_MONTH} * avg_over_time({scope.own(series.RUNNING_USD_PER_HOUR)}[1d])"
    return AlertRule(
        name="VllmEksMonthOverBudget",
        expr=f"{month} > on (stack) {scope.own(series.MONTH_BUDGET_USD)}",
        for_seconds=HOUR,
        severity="warning",
        summary="At the rate of the last day, a month of GPU nodes costs ${{ $value | humanize }}",
        description=(
            "The GPU nodes that ran in the last day cost ${{ $value | humanize }} in a month of "
            f"{HOURS_PER_MONTH} hours, at list prices. That is more than the budget in the stack file."
        ),
    )
