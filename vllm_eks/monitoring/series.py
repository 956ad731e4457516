"""The names of the series that the stack itself records, and pieces of their expressions.

Facts come from the plan, so that dashboards are the same for every stack. Without an exporter, the series made from its
own are missing too, and VllmEksMetricsMissing fires.
"""

USD_PER_HOUR = "vllm_eks:usd_per_hour"
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
"""Facts of the plan. They have the labels `model` and `namespace`, except the prices of nodes and the budget."""

GROUPS_WANTED = "vllm_eks:groups_wanted"
GROUPS_READY = "vllm_eks:groups_ready"
PODS_WANTED = "vllm_eks:pods_wanted"
PODS_RUNNING = "vllm_eks:pods_running"
LEADER_POD = "vllm_eks:leader_pod"
GPUS_SEEN = "vllm_eks:gpus_seen"
OUTPUT_TOKENS_PER_SECOND = "vllm_eks:output_tokens_per_second"
USD_PER_MILLION_TOKENS = "vllm_eks:usd_per_million_output_tokens"
RUNNING_USD_PER_HOUR = "vllm_eks:running_usd_per_hour"
"""What runs, computed from the exporters' series."""


def one_line(expr: str) -> str:
    """Return an expression without its line breaks.

    >>> one_line('''
    ...     sum(up)
    ...     > 1
    ... ''')
    'sum(up) > 1'
    """
    return " ".join(expr.split())


def of_model(series: str) -> str:
    """Return the expression with the label `model`. Each model has its own namespace."""
    return f"{series} * on (namespace) group_left (model) ({PODS_PER_GROUP} > bool 0)"
