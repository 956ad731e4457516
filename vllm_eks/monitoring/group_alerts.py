"""Alerts of groups: pods that are missing, and starts that take too long or repeat."""

from collections.abc import Iterator

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import AlertRule
from vllm_eks.monitoring.series import of_model, one_line
from vllm_eks.monitoring.watched import WatchedModel, WatchedStack

NOT_WHOLE_SECONDS = 600
"""More than an update needs to end a pod (terminationGracePeriodSeconds: 120) and to pull a 15 GB image (150 s), with
the margin of the start budget."""
GAP_SECONDS = 300
"""A pod that is deleted and created again has no series for a moment. This bridges it."""
MOST_PODS_PER_HOUR = 3
"""With one name: one that runs, and one for each of two updates in an hour."""


def group_alerts(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield the alerts of all models' groups."""
    yield AlertRule(
        name="VllmEksGroupNotWhole",
        expr=f"{series.PODS_WANTED} - on (model, namespace) {series.PODS_RUNNING} > 0",
        for_seconds=NOT_WHOLE_SECONDS,
        severity="critical",
        summary="{{ $labels.model }}: {{ $value }} pods of its groups do not run",
        description=(
            "{{ $value }} pods of {{ $labels.namespace }} have not run for 10 minutes. A group serves only when all "
            "its pods run, and the GPUs of the others are paid for and idle."
        ),
    )
    created = f'kube_pod_created{{namespace=~"{stack.namespaces}"}}'
    pods = f"""count by (namespace, pod) (count by (namespace, pod, uid) (last_over_time({created}[1h])))
        and on (namespace, pod) {series.LEADER_POD}"""
    yield AlertRule(
        name="VllmEksGroupRestarting",
        expr=one_line(f"{of_model(f'({pods})')} > {MOST_PODS_PER_HOUR}"),
        for_seconds=0,
        severity="warning",
        summary="{{ $labels.model }}: the group of {{ $labels.pod }} keeps restarting",
        description=(
            "{{ $value }} pods named {{ $labels.pod }} were created in {{ $labels.namespace }} within an hour. Each "
            "restart loads the weights again."
        ),
    )


def start_alert(model: WatchedModel) -> AlertRule:
    """Return the alert of a group that does not become ready. Its time is the model's own start budget."""
    ready = (
        f'kube_pod_status_ready{{condition="true",namespace="{model.namespace}",pod=~"{model.name}-[0-9]+"}}'
        f"[{GAP_SECONDS}s]"
    )
    minutes = model.startup_seconds // 60
    return AlertRule(
        name="VllmEksStartOverBudget",
        expr=f"max by (namespace, pod) (max_over_time({ready})) == 0",
        for_seconds=model.startup_seconds,
        severity="critical",
        summary=f"{model.name}: {{{{ $labels.pod }}}} is not ready after its start budget of {minutes} minutes",
        description=(
            f"The leader {{{{ $labels.pod }}}} of {{{{ $labels.namespace }}}} has not been ready for {minutes} "
            "minutes, restarts included. The budget of a start allows slow downloads and compilation."
        ),
        labels={"model": model.name},
    )
