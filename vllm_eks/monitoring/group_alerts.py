"""Alerts of groups: pods that are missing, and starts that take too long or repeat."""

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import AlertRule
from vllm_eks.monitoring.running import READY
from vllm_eks.monitoring.series import GAP_SECONDS, Scope, one_line
from vllm_eks.monitoring.watched import WatchedModel, WatchedStack

NOT_WHOLE_SECONDS = 600
"""More than an update needs to end a pod (terminationGracePeriodSeconds: 120) and to pull a 15 GB image (150 s), with
the margin of the start budget."""
LEAST_RESTART_WINDOW_SECONDS = 3600
STARTS_PER_WINDOW = 4
"""A group that crashes right after its start, in a loop, restarts at least so often in the window, even if each start
takes its whole budget."""
MOST_RESTARTS = 2
"""Besides those of updates: one for a node that is replaced, and one for chance."""


def not_whole_alert(stack: WatchedStack) -> AlertRule:
    """Return the alert of pods that do not run, for all models' groups."""
    scope = stack.scope
    on = "on (model, namespace)"
    # Without its LeaderWorkerSet, a model wants no pods any more. One that was never there is not installed yet.
    removed = f"""{scope.own(series.GROUPS_PLANNED)} * {on} {scope.own(series.PODS_PER_GROUP)} > 0
        and {on} last_over_time({scope.own(series.GROUPS_WANTED)}[1d])
        unless {on} {scope.held(series.GROUPS_WANTED)}
        and on () {scope.of_cluster("kube_node_info")}"""
    return AlertRule(
        name="VllmEksGroupNotWhole",
        expr=one_line(
            f"{scope.held(series.PODS_WANTED)} - {on} {scope.held(series.PODS_RUNNING)} > 0 or ({removed})",
        ),
        for_seconds=NOT_WHOLE_SECONDS,
        severity="critical",
        summary="{{ $labels.model }}: {{ $value }} pods of its groups do not run",
        description=(
            "{{ $value }} pods of {{ $labels.namespace }} have not run for 10 minutes. A group serves only when all "
            "its pods run, and the GPUs of the others are paid for and idle."
        ),
    )


def restart_alert(scope: Scope, model: WatchedModel) -> AlertRule:
    """Return the alert of groups that restart again and again. Its window is some of the model's own start budgets."""
    seconds = restart_window_seconds(model)
    window = f"[{seconds}s]"
    created = scope.of_pods("kube_pod_created", leaders_of(model))
    revision = scope.of_pods("kube_statefulset_status_update_revision", f'statefulset="{model.name}"')
    # A pod that is created again has its name and a new UID. Each update of the stack has a new revision.
    pods = f"count by (namespace, pod) (count by (namespace, pod, uid) (last_over_time({created}{window})))"
    revisions = f"count by (namespace) (count by (namespace, revision) (last_over_time({revision}{window})))"
    return AlertRule(
        name="VllmEksGroupRestarting",
        expr=one_line(f"{pods} - on (namespace) group_left {revisions} > {MOST_RESTARTS}"),
        for_seconds=0,
        severity="warning",
        summary=f"{model.name}: the group of {{{{ $labels.pod }}}} keeps restarting",
        description=(
            f"The group of {{{{ $labels.pod }}}} in {{{{ $labels.namespace }}}} restarted {{{{ $value }}}} times in "
            f"{seconds // 60} minutes, besides updates. Each restart loads the weights again."
        ),
        labels={"model": model.name},
    )


def restart_window_seconds(model: WatchedModel) -> int:
    """Return the window in which restarts are counted, in seconds."""
    return max(LEAST_RESTART_WINDOW_SECONDS, STARTS_PER_WINDOW * model.startup_seconds)


def start_alert(scope: Scope, model: WatchedModel) -> AlertRule:
    """Return the alert of a group that does not become ready. Its time is the model's own start budget."""
    ready = f"{scope.of_pods('kube_pod_status_ready', READY, leaders_of(model))}[{GAP_SECONDS}s]"
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


def leaders_of(model: WatchedModel) -> str:
    """Return the matcher of a model's leaders. Workers have a second number, and pods of Jobs have letters."""
    return f'pod=~"{model.name}-[0-9]+"'
