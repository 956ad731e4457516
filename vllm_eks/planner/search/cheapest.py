"""The cheapest instance type that a model fits: first on one node and with measured GPU memory."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.engine.validity import Refusal
from vllm_eks.planner.hardware.drivers import lacks_driver
from vllm_eks.planner.hardware.instances import REFERENCE_REGION, InstanceType, catalogue
from vllm_eks.planner.memory.rank_weights import weights_deviation
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.units import BYTES_PER_GIB


def cheapest(
    model: ModelFacts, requested: ServingOptions, region: str | None, *, max_nodes: int | None = None
) -> Plan | None:
    """Return the plan with the lowest price, or None when no type of the catalogue fits.

    A type that the region offers comes before others, one node for a replica before several, and measured GPU memory
    before estimated. Types that cost more for the weights alone are skipped.
    """
    types = [one for one in catalogue(region or REFERENCE_REGION).values() if lacks_driver(one.type) is None]
    offered = [one for one in types if one.is_offered]
    others = [one for one in types if not one.is_offered]
    return _cheapest_of(offered, model, requested, max_nodes) or _cheapest_of(others, model, requested, max_nodes)


def _cheapest_of(
    types: Sequence[InstanceType], model: ModelFacts, requested: ServingOptions, max_nodes: int | None
) -> Plan | None:
    best: Plan | None = None
    for instance in sorted(types, key=lambda one: _least_usd_per_hour(model, one, requested)):
        nodes, usd = _least_nodes(model, instance, requested), _least_usd_per_hour(model, instance, requested)
        lowest = (nodes > 1, is_estimated(instance), usd)
        if best and lowest > _rank(best)[:3]:
            continue
        candidate = within_nodes(try_layouts(model, instance, requested), max_nodes)
        if candidate.fits and (best is None or _rank(candidate) < _rank(best)):
            best = candidate
    return best


def within_nodes(plan: Plan, max_nodes: int | None) -> Plan:
    """Return the plan, refused if it needs more nodes than allowed."""
    if max_nodes is None or not plan.fits or plan.total_nodes <= max_nodes:
        return plan
    message = f"{plan.total_nodes} x {plan.instance.type} are needed, and --max-nodes is {max_nodes}"
    return replace(plan, refusals=(Refusal(code="not_enough_gpus", message=message),))


def is_estimated(instance: InstanceType) -> bool:
    """Return whether the GPU's usable memory is an estimate, because no log shows it."""
    return instance.gpu_memory_source == "estimate"


def ranking_usd_per_hour(plan: Plan) -> float:
    """Return the price of a plan for ranking: in its region, else in the reference region."""
    return plan.total_nodes * plan.instance.ranking_usd_per_hour


def _rank(plan: Plan) -> tuple[bool, bool, float, int, str]:
    several = plan.nodes_per_replica > 1
    return several, is_estimated(plan.instance), ranking_usd_per_hour(plan), plan.total_nodes, plan.instance.type


def _least_nodes(model: ModelFacts, instance: InstanceType, requested: ServingOptions) -> int:
    """Return a lower bound of the nodes of a replica: the nodes needed for the weights alone."""
    if not requested.flags.offload.is_off:
        return 1
    memory_bytes = instance.gpus * instance.gpu_memory_gib * BYTES_PER_GIB
    return max(1, ceil(model.loaded_bytes * weights_deviation(model).low / memory_bytes))


def _least_usd_per_hour(model: ModelFacts, instance: InstanceType, requested: ServingOptions) -> float:
    return _least_nodes(model, instance, requested) * instance.ranking_usd_per_hour
