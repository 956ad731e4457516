"""The names of the series that the stack itself records, and pieces of their expressions.

Facts come from the plan, so that dashboards are the same for every stack. Without an exporter, the series made from its
own are missing too, and VllmEksMetricsMissing fires.
"""

from dataclasses import dataclass

USD_PER_HOUR = "vllm_eks:usd_per_hour"
GPUS_PER_NODE = "vllm_eks:gpus_per_node"
NODE_USD_PER_HOUR = "vllm_eks:node_usd_per_hour"
MONTH_BUDGET_USD = "vllm_eks:month_budget_usd"
GROUPS_PLANNED = "vllm_eks:groups_planned"
PODS_PER_GROUP = "vllm_eks:pods_per_group"
GPUS_PER_GROUP = "vllm_eks:gpus_per_group"
STARTUP_BUDGET_SECONDS = "vllm_eks:startup_budget_seconds"
KV_CACHE_TOKENS = "vllm_eks:kv_cache_tokens_planned"
TOKENS_PER_SECOND_PLANNED = "vllm_eks:output_tokens_per_second_planned"
LATENCY_LIMIT_SECONDS = "vllm_eks:latency_limit_seconds"
BLOCK_END_SECONDS = "vllm_eks:capacity_block_end_timestamp_seconds"
"""Facts of the plan. They have the labels `stack`, `model` and `namespace`. The budget has only `stack`."""

GROUPS_WANTED = "vllm_eks:groups_wanted"
GROUPS_READY = "vllm_eks:groups_ready"
PODS_WANTED = "vllm_eks:pods_wanted"
PODS_RUNNING = "vllm_eks:pods_running"
LEADER_POD = "vllm_eks:leader_pod"
MODEL_NODE = "vllm_eks:model_node"
GPUS_SEEN = "vllm_eks:gpus_seen"
OUTPUT_TOKENS_PER_SECOND = "vllm_eks:output_tokens_per_second"
USD_PER_MILLION_TOKENS = "vllm_eks:usd_per_million_output_tokens"
RUNNING_USD_PER_HOUR = "vllm_eks:running_usd_per_hour"
"""What runs, computed from the exporters' series, also with the label `stack`."""

GAP_SECONDS = 300
"""A scrape that fails makes its series stale at once. Alerts read the last value of so many seconds, so that a gap of
3 minutes neither resolves them nor starts their time again. It also bridges the moment in which a pod is replaced."""


def one_line(expr: str) -> str:
    """Return an expression without its line breaks.

    >>> one_line('''
    ...     sum(up)
    ...     > 1
    ... ''')
    'sum(up) > 1'
    """
    return " ".join(expr.split())


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which series are of one stack, where Prometheus also has those of others."""

    stack: str
    namespaces: str
    """A regular expression of the models' namespaces, which are unique in a cluster."""
    cluster: str | None = None
    """The label `cluster` of its exporters' series, if Prometheus has the series of several clusters."""

    def own(self, name: str) -> str:
        """Return the stack's own series."""
        return f'{name}{{stack="{self.stack}"}}'

    def held(self, name: str) -> str:
        """Return the last value of the stack's own series, through a gap."""
        return f"last_over_time({self.own(name)}[{GAP_SECONDS}s])"

    def of_pods(self, metric: str, *matchers: str) -> str:
        """Return an exporter's series of the models' namespaces."""
        return self.of_cluster(metric, *matchers, f'namespace=~"{self.namespaces}"')

    def of_cluster(self, metric: str, *matchers: str) -> str:
        """Return an exporter's series of the stack's cluster."""
        cluster = [f'cluster="{self.cluster}"'] if self.cluster else []
        inside = ",".join([*matchers, *cluster])
        return f"{metric}{{{inside}}}" if inside else metric

    def of_model(self, expr: str) -> str:
        """Return an expression by namespace with the label `model`. Each model has its own namespace."""
        return f"{expr} * on (namespace) group_left (model) ({self.own(PODS_PER_GROUP)} > bool 0)"

    def of_nodes(self, expr: str) -> str:
        """Return only those series with a label `node` whose node is one of the stack's."""
        return f"{expr} and on (node) {self.held(MODEL_NODE)}"
