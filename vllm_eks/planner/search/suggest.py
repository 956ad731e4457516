"""Plans with suggestions for refused ones, and a comparison of all instance types in the catalogue."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import (
    REFERENCE_REGION,
    InstanceType,
    catalogue,
    find_instance,
)
from vllm_eks.planner.memory.rank_weights import weights_deviation
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.named_models import find_stack_model
from vllm_eks.planner.search.notes import notes_on
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_warnings import machines, smaller_batch, warnings_on
from vllm_eks.planner.units import BYTES_PER_GIB

SHORTEST_USEFUL_CONTEXT_TOKENS = 1024


def suggestions_for(refused: Plan, requested: ServingOptions) -> Iterator[str]:
    """Yield changes that would fit: a legal TP, shorter context, smaller batches, more nodes, the cheapest type."""
    codes = {refusal.code for refusal in refused.refusals}
    yield from _legal_context(refused, requested)
    if codes & {"heads_not_divisible", "kv_heads_not_divisible", "shard_not_divisible", "not_enough_gpus"}:
        yield from _legal_tensor_size(refused, requested)
    if "kv_cache_too_small" in codes:
        yield from _shorter_context(refused, requested)
    if codes & {"kv_cache_too_small", "weights_do_not_fit", "engine_refuses"}:
        yield from _smaller_batch(refused, requested)
        yield from _more_nodes(refused, requested)
    yield from _cheapest_type(refused, requested)


def _shorter_context(refused: Plan, requested: ServingOptions) -> Iterator[str]:
    """Yield the longest context that fits the layout, unless another rule refuses it."""
    longest = refused.largest_context_tokens
    shorter = replace(requested, max_model_len=max(1, longest))
    if longest >= SHORTEST_USEFUL_CONTEXT_TOKENS and try_layouts(refused.model, refused.instance, shorter).fits:
        yield f"--max-model-len {longest} fits this layout"


def _legal_context(refused: Plan, requested: ServingOptions) -> Iterator[str]:
    """Yield the longest context within the model's limit with which the same options fit."""
    limit = refused.model.architecture.context_limit(refused.options.version)
    if refused.options.max_model_len <= limit:
        return
    within = try_layouts(refused.model, refused.instance, replace(requested, max_model_len=limit))
    if within.fits:
        yield f"--max-model-len {limit} or less"
        return
    shorter = within.largest_context_tokens
    if shorter >= SHORTEST_USEFUL_CONTEXT_TOKENS:
        fitting = try_layouts(refused.model, refused.instance, replace(requested, max_model_len=shorter))
        if fitting.fits:
            yield f"--max-model-len {shorter} or less"


def _within_limit(refused: Plan, requested: ServingOptions) -> ServingOptions:
    """Return the options with the context cut to the model's limit."""
    limit = refused.model.architecture.context_limit(refused.options.version)
    too_long = requested.max_model_len is not None and requested.max_model_len > limit
    return replace(requested, max_model_len=limit) if too_long else requested


def _legal_tensor_size(refused: Plan, requested: ServingOptions) -> Iterator[str]:
    free = try_layouts(
        refused.model, refused.instance, replace(_within_limit(refused, requested), tensor_parallel_size=None)
    )
    if free.fits and free.layout:
        yield f"{free.layout.label} on {machines(free)}{_shortened(refused, free)}"


def _smaller_batch(refused: Plan, requested: ServingOptions) -> Iterator[str]:
    smaller = smaller_batch(refused, requested)
    if smaller:
        yield smaller


def _more_nodes(refused: Plan, requested: ServingOptions) -> Iterator[str]:
    if requested.pipeline_parallel_size is None:
        return
    free = try_layouts(refused.model, refused.instance, replace(requested, pipeline_parallel_size=None))
    if free.fits and free.layout:
        yield f"--pipeline-parallel-size {free.layout.pipeline_parallel_size}: {machines(free)}"


def _cheapest_type(refused: Plan, requested: ServingOptions) -> Iterator[str]:
    free = replace(_within_limit(refused, requested), tensor_parallel_size=None, pipeline_parallel_size=None)
    cheapest = _cheapest(refused.model, free, refused.instance.price_region or REFERENCE_REGION)
    if cheapest and cheapest.layout:
        yield (
            f"the cheapest that fits: {cheapest.layout.label} on {machines(cheapest)}{_shortened(refused, cheapest)}"
        )


def _shortened(refused: Plan, suggested: Plan) -> str:
    """Return the context length of a suggestion, if it is not the requested one."""
    if suggested.options.max_model_len == refused.options.max_model_len:
        return ""
    return f", with --max-model-len {suggested.options.max_model_len}"


def _cheapest(model: ModelFacts, requested: ServingOptions, region: str) -> Plan | None:
    """Return the first plan that `compare` would list. Types that cost more for the weights alone are skipped."""
    best: Plan | None = None
    for instance in sorted(catalogue(region).values(), key=lambda instance: _min_price(model, instance)):
        if best and _min_price(model, instance) > _price(best):
            break
        candidate = try_layouts(model, instance, requested)
        if candidate.fits and (best is None or _rank(candidate) < _rank(best)):
            best = candidate
    return best


def _min_price(model: ModelFacts, instance: InstanceType) -> float:
    """Return a lower bound of the price: the nodes that hold the weights and nothing else."""
    memory_bytes = instance.gpus * instance.gpu_memory_gib * BYTES_PER_GIB
    nodes = max(1, ceil(model.weights_bytes * weights_deviation(model).low / memory_bytes))
    return nodes * instance.ranking_usd_per_hour


def _rank(plan: Plan) -> tuple[bool, float, int, str]:
    return not plan.fits, _price(plan), plan.total_nodes, plan.instance.type


def compare(model: ModelFacts, requested: ServingOptions, region: str = REFERENCE_REGION) -> list[Plan]:
    """Return a plan for every type in the catalogue, sorted by fit and then by price.

    A type without a price in the region is ranked by its price in the reference region.
    """
    plans = [try_layouts(model, instance, requested) for instance in catalogue(region).values()]
    return sorted(plans, key=_rank)


def _price(plan: Plan) -> float:
    return plan.total_nodes * plan.instance.ranking_usd_per_hour


def plan(model: ModelFacts, instance: InstanceType, options: ServingOptions | None = None) -> Plan:
    """Return the plan of a model on an instance type, with notes and warnings, or with suggestions when it is refused.

    Raises:
        WrongQuestion: The options are invalid (an unsupported version, sizes below 1).
    """
    requested = options or ServingOptions()
    result = try_layouts(model, instance, requested, report_every_layout=True)
    if result.fits:
        return replace(result, notes=tuple(notes_on(result, requested)), warnings=tuple(warnings_on(result, requested)))
    return replace(result, suggestions=tuple(suggestions_for(result, requested)))


def plan_named(model_id: str, instance_type: str, options: ServingOptions, *, region: str = REFERENCE_REGION) -> Plan:
    """Return the plan of a stack's model on an instance type in the catalogue, at the prices of a region.

    Raises:
        WrongQuestion: The model or the type is unknown, or the options are invalid.
    """
    return plan(find_stack_model(model_id), find_instance(instance_type, region), options)


def nothing_fits_lines(model: ModelFacts, refused: Sequence[Plan], requested: ServingOptions) -> Iterator[str]:
    """Yield each reason that no type fits, with the largest type it applies to, then suggestions for that type."""
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
    for suggestion in plan(model, largest.instance, requested).suggestions:
        of_type = "" if suggestion.startswith("the cheapest") else f" on {largest.instance.type}"
        yield f"would work{of_type}: {suggestion}"


def _gpu_memory(plan: Plan) -> float:
    return plan.instance.gpus * plan.instance.gpu_memory_gib
