"""The sizes and access of each model, as stack outputs."""

from collections.abc import Iterable
from typing import Any

from components.endpoint.model_door import ModelDoor
from components.serving.model_server import ModelServer
from vllm_eks.planner.search.gpu_nodes import GpuNodes


def plan_sizes(nodes: GpuNodes) -> dict[str, Any]:
    """Return the sizes of a model whose plan fits, with the names of the stack file."""
    plan, sizes = nodes.plan, nodes.plan.sizes
    return {
        "model": plan.model.id,
        "instanceType": plan.instance.type,
        "nodes": nodes.total,
        "replicas": nodes.running_replicas,
        "parked": nodes.parked,
        "tensorParallelSize": sizes.tensor_parallel_size if sizes else 0,
        "pipelineParallelSize": sizes.pipeline_parallel_size if sizes else 0,
        "maxModelLen": plan.options.max_model_len,
        "kvCacheTokens": None if plan.stated else plan.kv_cache_tokens,
        "usdPerHour": nodes.usd_per_hour,
    }


def model_outputs(nodes: GpuNodes, server: ModelServer, door: ModelDoor | None) -> dict[str, Any]:
    """Return the outputs of one model: its sizes, how to call it, and whether the load balancer reaches it."""
    return plan_sizes(nodes) | server.outputs | ({"frontDoor": door.answer} if door else {})


def total_usd_per_hour(fleet: Iterable[GpuNodes]) -> float | None:
    """Return the on-demand price of all running GPU nodes, or None if one is unknown."""
    prices = [nodes.usd_per_hour for nodes in fleet]
    known = [price for price in prices if price is not None]
    return round(sum(known), 4) if len(known) == len(prices) else None
