"""Alerts of the stack: the front door, the end of a Capacity Block, the bill, and exporters that are silent."""

from collections.abc import Iterator

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import AlertRule, Severity
from vllm_eks.monitoring.series import one_line
from vllm_eks.monitoring.watched import WatchedStack
from vllm_eks.planner.search.cost import HOURS_PER_MONTH

DAY, HOUR = 86_400, 3_600
CERTIFICATE_LAST_DAYS = 7
CAPACITY_BLOCK_LAST_HOURS = 2
"""Before these, the alerts become critical."""
ENDPOINT_SECONDS = 300
BLIND_SECONDS = 900


def stack_alerts(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield the alerts of the stack. Those of its front door and of Capacity Blocks only where it has them."""
    if stack.endpoint:
        yield _not_answering()
        yield from _certificate(stack.alerts.certificate_days)
    if any(model.block_end for model in stack.models):
        yield from _capacity_block(stack.alerts.capacity_block_hours)
    if stack.alerts.monthly_budget_usd is not None:
        yield _month()
    yield from _blind(stack)


def _not_answering() -> AlertRule:
    return AlertRule(
        name="VllmEksEndpointNotAnswering",
        # While no group is ready, other alerts say so.
        expr=one_line(
            f"""min by (model, namespace, instance) (probe_success{{model!=""}}) == 0
                and on (model) {series.GROUPS_READY} > 0"""
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


def _certificate(days: int) -> Iterator[AlertRule]:
    left = f"(min by (model, namespace, instance) (probe_ssl_earliest_cert_expiry) - time()) / {DAY}"
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


def _capacity_block(hours: int) -> Iterator[AlertRule]:
    left = f"({series.BLOCK_END_SECONDS} - time()) / {HOUR}"
    steps: list[tuple[int, Severity]] = [(hours, "warning")]
    if hours > CAPACITY_BLOCK_LAST_HOURS:
        steps.append((CAPACITY_BLOCK_LAST_HOURS, "critical"))
    for step, severity in steps:
        yield AlertRule(
            name="VllmEksCapacityBlockEnding",
            expr=f"0 < {left} < {step} and on (model, namespace) {series.GROUPS_PLANNED} > 0",
            for_seconds=0,
            severity=severity,
            summary="{{ $labels.model }}: its Capacity Block ends in {{ $value | humanize }} hours",
            description=(
                "The Capacity Block of {{ $labels.model }} ends in {{ $value | humanize }} hours. EC2 terminates its "
                "instances 30 minutes before, and the model stops."
            ),
        )


def _month() -> AlertRule:
    month = f"{HOURS_PER_MONTH} * avg_over_time({series.RUNNING_USD_PER_HOUR}[1d])"
    return AlertRule(
        name="VllmEksMonthOverBudget",
        expr=f"{month} > {series.MONTH_BUDGET_USD}",
        for_seconds=HOUR,
        severity="warning",
        summary="At the rate of the last day, a month of GPU nodes costs ${{ $value | humanize }}",
        description=(
            "The GPU nodes that ran in the last day cost ${{ $value | humanize }} in a month of "
            f"{HOURS_PER_MONTH} hours, at list prices. That is more than the budget in the stack file."
        ),
    )


def _blind(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield alerts for silence: without these series, other alerts cannot fire."""

    def rule(expr: str, source: str, silent: str) -> AlertRule:
        return AlertRule(
            name="VllmEksMetricsMissing",
            expr=one_line(expr),
            for_seconds=BLIND_SECONDS,
            severity="warning",
            summary=f"No metrics of {silent}",
            description=f"Prometheus has no metrics of {silent}. Alerts that need them cannot fire.",
            labels={"source": source},
        )

    of = f'namespace=~"{stack.namespaces}"'
    yield rule(
        f"""{series.LEADER_POD} and on (namespace, pod) (
                max by (namespace, pod) (kube_pod_status_ready{{condition="true",{of}}}) == 1)
            unless on (namespace, pod) vllm:num_requests_running{{{of}}}""",
        "vllm",
        "{{ $labels.pod }} in {{ $labels.namespace }}, which is ready",
    )
    yield rule("absent(kube_pod_status_ready)", "kube-state-metrics", "pods (kube-state-metrics)")
    yield rule(
        f"""max by (node) (kube_node_status_capacity{{resource="nvidia_com_gpu"}}) > 0
            unless on (node) {series.GPUS_SEEN}""",
        "dcgm-exporter",
        "the GPUs of {{ $labels.node }} (DCGM exporter)",
    )
    if stack.alerts.monthly_budget_usd is not None:
        yield rule("absent(node_dmi_info)", "node-exporter", "nodes (node exporter)")
