"""A plan of a model on every instance type of the catalogue, in the order of a recommendation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Literal

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.engine.validity import Refusal
from vllm_eks.planner.hardware.drivers import lacks_driver
from vllm_eks.planner.hardware.instances import REFERENCE_REGION, catalogue
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.cheapest import is_estimated, ranking_usd_per_hour, within_nodes
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan

Order = Literal["recommended", "price", "token-price", "throughput"]
Rank = tuple[float | str, ...]


def compare(
    model: ModelFacts,
    requested: ServingOptions,
    region: str = REFERENCE_REGION,
    *,
    order: Order = "recommended",
    max_nodes: int | None = None,
) -> list[Plan]:
    """Return a plan for every type in the catalogue: first those that fit, in the requested order.

    The recommended order prefers types that the region offers, that surely fit, with the requested context, on one node
    for each replica, with GPUs whose memory is measured, and then the lowest price of a token. A type without a price
    in the region is ranked by that of the reference region.

    Args:
        model: The model.
        requested: The requested options.
        region: The region of the prices.
        order: How plans that fit are sorted.
        max_nodes: The maximum number of nodes of all replicas, or None for no limit.
    """
    plans = (
        within_nodes(without_driver(try_layouts(model, one, requested)), max_nodes)
        for one in catalogue(region).values()
    )
    return sorted(plans, key=lambda plan: (not plan.fits, *ORDERS[order](plan, requested), plan.instance.type))


def recommended(plans: Sequence[Plan], requested: ServingOptions) -> Plan | None:
    """Return the plan that `compare` recommends among these, or None when none fits."""
    fitting = [plan for plan in plans if plan.fits]
    return min(fitting, key=lambda plan: (*_recommended(plan, requested), plan.instance.type), default=None)


def lowest_price(plans: Sequence[Plan]) -> Plan | None:
    """Return the plan with the lowest price per hour, or None when none fits.

    A type that the region offers comes before others, and one node for a replica before several.
    """

    def rank(plan: Plan) -> Rank:
        return not plan.instance.is_offered, plan.nodes_per_replica > 1, ranking_usd_per_hour(plan)

    return min((plan for plan in plans if plan.fits), key=rank, default=None)


def without_driver(plan: Plan) -> Plan:
    """Return the plan, refused if the pinned AMI release has no driver for its GPUs."""
    lacking = lacks_driver(plan.instance.type)
    if lacking is None:
        return plan
    refusals = (Refusal(code="dtype_unsupported", message=lacking), *plan.refusals)
    others = tuple(line for line in plan.suggestions if plan.instance.type not in line)
    return replace(plan, refusals=refusals, suggestions=others)


def shortens_context(plan: Plan, requested: ServingOptions) -> bool:
    """Return whether the plan has a shorter context than requested, or than the default if none was requested."""
    wished = requested.max_model_len or plan.default_context_tokens
    return plan.options.max_model_len < wished


def _recommended(plan: Plan, requested: ServingOptions) -> Rank:
    return (
        not plan.instance.is_offered,
        plan.verdict != "fits",
        shortens_context(plan, requested),
        plan.nodes_per_replica > 1,
        is_estimated(plan.instance),
        _token_price(plan),
        ranking_usd_per_hour(plan),
    )


def _token_price(plan: Plan) -> float:
    """Return the estimated price of a token for ranking: in the region, or else in the reference region."""
    estimate = plan.throughput
    return ranking_usd_per_hour(plan) / (estimate.tokens_per_second.best * plan.replicas) if estimate else inf


def _throughput(plan: Plan) -> float:
    return plan.throughput.tokens_per_second.best * plan.replicas if plan.throughput else 0.0


ORDERS: Mapping[Order, Callable[[Plan, ServingOptions], Rank]] = {
    "recommended": _recommended,
    "price": lambda plan, requested: (ranking_usd_per_hour(plan), plan.total_nodes),
    "token-price": lambda plan, requested: (_token_price(plan), ranking_usd_per_hour(plan)),
    "throughput": lambda plan, requested: (-_throughput(plan), ranking_usd_per_hour(plan)),
}


def nothing_fits_lines(
    refused: Sequence[Plan], requested: ServingOptions, *, max_nodes: int | None = None
) -> Iterator[str]:
    """Yield each reason that no type fits, with the largest type it applies to, then suggestions for that type."""
    # Imported here, because only a refusal needs it.
    from vllm_eks.planner.search.suggest import suggestions_for

    by_code: dict[str, list[Plan]] = {}
    for refused_plan in refused:
        by_code.setdefault(refused_plan.refusals[-1].code, []).append(refused_plan)
    for code, plans in sorted(by_code.items(), key=lambda item: -len(item[1])):
        largest = max(plans, key=_gpu_memory)
        same = len({refused_plan.refusals[-1].message for refused_plan in plans}) == 1
        which = f"{len(plans)} types" if len(plans) > 1 else largest.instance.type
        shown = "" if same or len(plans) == 1 else f"the largest, {largest.instance.type}: "
        yield f"{which}: {code}: {shown}{largest.refusals[-1].message}"
    largest = max(refused, key=_gpu_memory)
    for suggestion in suggestions_for(largest, requested, max_nodes=max_nodes):
        of_type = "" if suggestion.instance != largest.instance else f" on {largest.instance.type}"
        yield f"would work{of_type}: {suggestion.text}"


def _gpu_memory(plan: Plan) -> float:
    return plan.instance.gpus * plan.instance.gpu_memory_gib
