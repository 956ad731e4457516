"""The plan in a stack's outputs: the few sizes people look for later."""

from collections.abc import Iterable
from typing import Any

from planner.plan import Plan


def plan_sizes(plan: Plan) -> dict[str, Any]:
    """Return the sizes of a plan that fits, in the stack file's spelling."""
    layout = plan.layout
    return {
        "model": plan.model.id,
        "instanceType": plan.instance.type,
        "nodes": plan.total_nodes,
        "replicas": plan.replicas,
        "tensorParallelSize": layout.tensor_parallel_size if layout else 0,
        "pipelineParallelSize": layout.pipeline_parallel_size if layout else 0,
        "maxModelLen": plan.options.max_model_len,
        "kvCacheTokens": plan.kv_cache_tokens,
        "usdPerHour": plan.usd_per_hour,
    }


def total_usd_per_hour(plans: Iterable[Plan]) -> float | None:
    """Return the price of all GPU nodes; None where one is unknown."""
    prices = [plan.usd_per_hour for plan in plans]
    known = [price for price in prices if price is not None]
    return round(sum(known), 4) if len(known) == len(prices) else None
