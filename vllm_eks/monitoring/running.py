"""Recording rules of what runs: groups, pods, GPUs, tokens and dollars."""

from collections.abc import Iterator

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import RecordingRule, RuleGroup
from vllm_eks.monitoring.series import of_model, one_line
from vllm_eks.monitoring.watched import WatchedStack

RATE_WINDOW = "5m"
"""Of rates: ten scrapes of 30 s, so that two lost ones do not matter."""


def running_groups(stack: WatchedStack) -> list[RuleGroup]:
    """Return the recording rules of what runs. A later rule uses the earlier ones of its group."""
    return [
        RuleGroup(name=f"{stack.name}.groups", rules=list(_groups(f'namespace=~"{stack.namespaces}"'))),
        RuleGroup(name=f"{stack.name}.tokens", rules=list(_tokens(f'namespace=~"{stack.namespaces}"'))),
        RuleGroup(name=f"{stack.name}.nodes", rules=list(_nodes())),
    ]


def _groups(namespaces: str) -> Iterator[RecordingRule]:
    """Yield the rules of groups. LeaderWorkerSet owns a StatefulSet of leaders with its own name, and for each leader a
    StatefulSet of workers with the leader's name."""
    yield _rule(
        series.GROUPS_WANTED,
        f"""max by (model, namespace) (
            label_replace(kube_statefulset_replicas{{{namespaces}}}, "model", "$1", "statefulset", "(.*)")
            and on (model, namespace) {series.PODS_PER_GROUP})""",
    )
    yield _rule(series.PODS_WANTED, f"{series.GROUPS_WANTED} * on (model, namespace) {series.PODS_PER_GROUP}")
    yield _rule(
        series.LEADER_POD,
        f"""max by (model, namespace, pod) (
            label_replace(
                kube_pod_owner{{owner_kind="StatefulSet",{namespaces}}}, "model", "$1", "owner_name", "(.*)")
            and on (model, namespace) {series.PODS_PER_GROUP})""",
    )
    ready = f'max by (namespace, pod) (kube_pod_status_ready{{condition="true",{namespaces}}}) == 1'
    yield _rule(
        series.GROUPS_READY,
        f"""sum by (model, namespace) ({series.LEADER_POD} and on (namespace, pod) ({ready}))
            or {series.GROUPS_WANTED} * 0""",
    )
    # A pod of a lost node stays in the phase Running until its node is deleted, but it is marked for deletion.
    running = f"""count by (namespace) (
        max by (namespace, pod) (
            kube_pod_status_phase{{phase="Running",{namespaces}}} == 1
            unless on (namespace, pod, uid) kube_pod_deletion_timestamp{{{namespaces}}})
        and on (namespace, pod) kube_pod_owner{{owner_kind="StatefulSet",{namespaces}}})"""
    yield _rule(series.PODS_RUNNING, f"{of_model(running)} or {series.PODS_WANTED} * 0")


def _tokens(namespaces: str) -> Iterator[RecordingRule]:
    yield _rule(
        series.OUTPUT_TOKENS_PER_SECOND,
        f"sum by (model, namespace) (rate(vllm:generation_tokens_total{{{namespaces}}}[{RATE_WINDOW}]))",
    )
    yield _rule(
        series.USD_PER_MILLION_TOKENS,
        f"""1e6 / 3600 * {series.USD_PER_HOUR}
            / on (model, namespace) ({series.OUTPUT_TOKENS_PER_SECOND} > 0)""",
    )


def _nodes() -> Iterator[RecordingRule]:
    # Counted by UUID first: an exporter that restarts has two series of a GPU for some minutes.
    yield _rule(series.GPUS_SEEN, "count by (node) (count by (node, UUID) (DCGM_FI_DEV_FB_USED))")
    # The firmware of an EC2 instance names its type. Without GPU nodes the price is 0, without prices it is unknown.
    types = 'label_replace(node_dmi_info, "instance_type", "$1", "product_name", "(.*)")'
    yield _rule(
        series.RUNNING_USD_PER_HOUR,
        f"""sum(count by (instance_type) ({types}) * on (instance_type) {series.NODE_USD_PER_HOUR})
            or 0 * count(node_dmi_info) * count({series.NODE_USD_PER_HOUR})""",
    )


def _rule(record: str, expr: str) -> RecordingRule:
    return RecordingRule(record=record, expr=one_line(expr))
