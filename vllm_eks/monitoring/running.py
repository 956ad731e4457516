"""Recording rules of what runs: groups, pods, nodes, GPUs, tokens and dollars."""

from collections.abc import Iterator

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import RecordingRule, RuleGroup
from vllm_eks.monitoring.series import Scope, one_line
from vllm_eks.monitoring.watched import WatchedStack

RATE_WINDOW = "5m"
"""Of rates: ten scrapes of 30 s, so that two lost ones do not matter."""
READY = 'condition="true"'
NODE_WINDOW = "1d"
"""A broken node loses its pods, and still is the stack's."""
NODE_MODEL = "label_vllm_eks_model"
"""The label `vllm-eks/model` of the stack's node groups, as kube-state-metrics shows it where it may. The one that
the stack installs is. An existing one may not be, so the nodes of the models' pods count too."""


def running_groups(stack: WatchedStack) -> list[RuleGroup]:
    """Return the recording rules of what runs. A later rule uses the earlier ones of its group."""
    scope = stack.scope
    return [
        RuleGroup(name=f"{stack.name}.groups", rules=list(_groups(scope))),
        RuleGroup(name=f"{stack.name}.tokens", rules=list(_tokens(scope))),
        RuleGroup(name=f"{stack.name}.nodes", rules=list(_nodes(scope, [model.name for model in stack.models]))),
    ]


def _groups(scope: Scope) -> Iterator[RecordingRule]:
    """Yield the rules of groups. LeaderWorkerSet owns a StatefulSet of leaders with its own name, and for each leader a
    StatefulSet of workers with the leader's name."""
    pods_per_group, on = scope.own(series.PODS_PER_GROUP), "on (model, namespace)"
    yield _rule(
        series.GROUPS_WANTED,
        f"""max by (model, namespace) (
            label_replace({scope.of_pods("kube_statefulset_replicas")}, "model", "$1", "statefulset", "(.*)")
            and {on} {pods_per_group})""",
    )
    wanted = scope.own(series.GROUPS_WANTED)
    yield _rule(series.PODS_WANTED, f"{wanted} * {on} {pods_per_group}")
    owner = scope.of_pods("kube_pod_owner", 'owner_kind="StatefulSet"')
    yield _rule(
        series.LEADER_POD,
        f"""max by (model, namespace, pod) (
            label_replace({owner}, "model", "$1", "owner_name", "(.*)") and {on} {pods_per_group})""",
    )
    ready = f"max by (namespace, pod) ({scope.of_pods('kube_pod_status_ready', READY)}) == 1"
    yield _rule(
        series.GROUPS_READY,
        f"""sum by (model, namespace) ({scope.own(series.LEADER_POD)} and on (namespace, pod) ({ready}))
            or {on} {wanted} * 0""",
    )
    # A pod of a lost node stays in the phase Running until its node is deleted, but it is marked for deletion.
    running = f"""count by (namespace) (
        max by (namespace, pod) (
            {scope.of_pods("kube_pod_status_phase", 'phase="Running"')} == 1
            unless on (namespace, pod, uid) {scope.of_pods("kube_pod_deletion_timestamp")})
        and on (namespace, pod) {owner})"""
    yield _rule(series.PODS_RUNNING, f"{scope.of_model(running)} or {on} {scope.own(series.PODS_WANTED)} * 0")


def _tokens(scope: Scope) -> Iterator[RecordingRule]:
    generated = scope.of_pods("vllm:generation_tokens_total")
    yield _rule(series.OUTPUT_TOKENS_PER_SECOND, f"sum by (model, namespace) (rate({generated}[{RATE_WINDOW}]))")
    yield _rule(
        series.USD_PER_MILLION_TOKENS,
        f"""1e6 / 3600 * {scope.own(series.USD_PER_HOUR)}
            / on (model, namespace) ({scope.own(series.OUTPUT_TOKENS_PER_SECOND)} > 0)""",
    )


def _nodes(scope: Scope, models: list[str]) -> Iterator[RecordingRule]:
    names = "|".join(models)
    labels = scope.of_cluster("kube_node_labels", f'{NODE_MODEL}=~"{names}"')
    # Not the pods of Jobs, some of which run on system nodes.
    pods = scope.of_pods("kube_pod_info", f'pod=~"({names})-[0-9]+(-[0-9]+)?"', 'node!=""')
    of_pods = f"max by (namespace, node) (last_over_time({pods}[{NODE_WINDOW}]))"
    yield _rule(
        series.MODEL_NODE,
        f"""max by (model, node) (label_replace({labels}, "model", "$1", "{NODE_MODEL}", "(.*)"))
                * on (model) group_left (namespace) ({scope.own(series.PODS_PER_GROUP)} > bool 0)
            or on (node) (max by (model, namespace, node) ({scope.of_model(f"({of_pods})")})
                and on (node) {scope.of_cluster("kube_node_info")})""",
    )
    node = scope.own(series.MODEL_NODE)
    # Counted by UUID first: an exporter that restarts has two series of a GPU for some minutes.
    seen = f"count by (node) (count by (node, UUID) ({scope.of_cluster('DCGM_FI_DEV_FB_USED')}))"
    yield _rule(series.GPUS_SEEN, scope.of_nodes(seen))
    # Without GPU nodes the price is 0, without prices or kube-state-metrics it is unknown.
    price = scope.own(series.NODE_USD_PER_HOUR)
    yield _rule(
        series.RUNNING_USD_PER_HOUR,
        f"""sum({node} * on (model, namespace) group_left {price})
            or 0 * count({scope.of_cluster("kube_node_info")}) * count({price})""",
    )


def _rule(record: str, expr: str) -> RecordingRule:
    return RecordingRule(record=record, expr=one_line(expr))
