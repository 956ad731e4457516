"""Plans with advice: what would work instead of a refused one, and every type of the catalogue side by side."""

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
from vllm_eks.planner.models.known_models import ModelFacts, find_model
from vllm_eks.planner.search.layouts import attempt
from vllm_eks.planner.search.notes import notes_on
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_warnings import machines, smaller_batch, warnings_on
from vllm_eks.planner.units import BYTES_PER_GIB

SHORTEST_USEFUL_CONTEXT_TOKENS = 1024


def suggestions_for(refused: Plan, wishes: ServingOptions) -> Iterator[str]:
    """Yield what would work instead: a legal TP, shorter context, smaller batches, more nodes, the cheapest type."""
    codes = {refusal.code for refusal in refused.refusals}
    yield from _legal_context(refused, wishes)
    if codes & {"heads_not_divisible", "kv_heads_not_divisible", "shard_not_divisible", "not_enough_gpus"}:
        yield from _legal_tensor_size(refused, wishes)
    if "kv_cache_too_small" in codes:
        yield from _shorter_context(refused, wishes)
    if codes & {"kv_cache_too_small", "weights_do_not_fit", "engine_refuses"}:
        yield from _smaller_batch(refused, wishes)
        yield from _more_nodes(refused, wishes)
    yield from _cheapest_type(refused, wishes)


def _shorter_context(refused: Plan, wishes: ServingOptions) -> Iterator[str]:
    """Yield the longest context that the layout holds, unless another rule is against it at that length."""
    longest = refused.largest_context_tokens
    shorter = replace(wishes, max_model_len=max(1, longest))
    if longest >= SHORTEST_USEFUL_CONTEXT_TOKENS and attempt(refused.model, refused.instance, shorter).fits:
        yield f"--max-model-len {longest} fits this layout"


def _legal_context(refused: Plan, wishes: ServingOptions) -> Iterator[str]:
    """Yield the longest context within the model's own limit that the same question fits with."""
    limit = refused.model.architecture.max_position_embeddings
    if refused.options.max_model_len <= limit:
        return
    within = attempt(refused.model, refused.instance, replace(wishes, max_model_len=limit))
    if within.fits:
        yield f"--max-model-len {limit} or less"
        return
    shorter = within.largest_context_tokens
    if shorter >= SHORTEST_USEFUL_CONTEXT_TOKENS:
        fitting = attempt(refused.model, refused.instance, replace(wishes, max_model_len=shorter))
        if fitting.fits:
            yield f"--max-model-len {shorter} or less"


def _within_limit(refused: Plan, wishes: ServingOptions) -> ServingOptions:
    """Return the wishes with a context that the model itself allows."""
    limit = refused.model.architecture.max_position_embeddings
    too_long = wishes.max_model_len is not None and wishes.max_model_len > limit
    return replace(wishes, max_model_len=limit) if too_long else wishes


def _legal_tensor_size(refused: Plan, wishes: ServingOptions) -> Iterator[str]:
    free = attempt(refused.model, refused.instance, replace(_within_limit(refused, wishes), tensor_parallel_size=None))
    if free.fits and free.layout:
        yield f"{free.layout.label} on {machines(free)}{_shortened(refused, free)}"


def _smaller_batch(refused: Plan, wishes: ServingOptions) -> Iterator[str]:
    smaller = smaller_batch(refused, wishes)
    if smaller:
        yield smaller


def _more_nodes(refused: Plan, wishes: ServingOptions) -> Iterator[str]:
    if wishes.pipeline_parallel_size is None:
        return
    free = attempt(refused.model, refused.instance, replace(wishes, pipeline_parallel_size=None))
    if free.fits and free.layout:
        yield f"--pipeline-parallel-size {free.layout.pipeline_parallel_size}: {machines(free)}"


def _cheapest_type(refused: Plan, wishes: ServingOptions) -> Iterator[str]:
    free = replace(_within_limit(refused, wishes), tensor_parallel_size=None, pipeline_parallel_size=None)
    cheapest = _cheapest(refused.model, free, refused.instance.price_region or REFERENCE_REGION)
    if cheapest and cheapest.layout:
        yield (
            f"the cheapest that fits: {cheapest.layout.label} on {machines(cheapest)}{_shortened(refused, cheapest)}"
        )


def _shortened(refused: Plan, found: Plan) -> str:
    """Return the context that a suggestion was made with, where it is not the one asked for."""
    if found.options.max_model_len == refused.options.max_model_len:
        return ""
    return f", with --max-model-len {found.options.max_model_len}"


def _cheapest(model: ModelFacts, wishes: ServingOptions, region: str) -> Plan | None:
    """Return the first plan that `compare` would list; types whose weights alone cost more nodes are not tried."""
    best: Plan | None = None
    for instance in sorted(catalogue(region).values(), key=lambda instance: _least_price(model, instance)):
        if best and _least_price(model, instance) > _price(best):
            break
        found = attempt(model, instance, wishes)
        if found.fits and (best is None or _rank(found) < _rank(best)):
            best = found
    return best


def _least_price(model: ModelFacts, instance: InstanceType) -> float:
    """Return what the nodes cost at least: as many as hold the weights and nothing else."""
    memory_bytes = instance.gpus * instance.gpu_memory_gib * BYTES_PER_GIB
    nodes = max(1, ceil(model.weights_bytes * weights_deviation(model).low / memory_bytes))
    return nodes * instance.ranking_usd_per_hour


def _rank(plan: Plan) -> tuple[bool, float, int, str]:
    return not plan.fits, _price(plan), plan.total_nodes, plan.instance.type


def compare(model: ModelFacts, wishes: ServingOptions, region: str = REFERENCE_REGION) -> list[Plan]:
    """Return a plan for every type of the catalogue: those that fit first, the cheapest first.

    A type whose price is not known in the region takes the place that its price in the reference region gives it.
    """
    plans = [attempt(model, instance, wishes) for instance in catalogue(region).values()]
    return sorted(plans, key=_rank)


def _price(plan: Plan) -> float:
    return plan.total_nodes * plan.instance.ranking_usd_per_hour


def plan(model: ModelFacts, instance: InstanceType, options: ServingOptions | None = None) -> Plan:
    """Return the plan of a model on an instance type, with notes, or with what would work instead.

    Raises:
        WrongQuestion: The options are no valid question (a version never read, sizes below 1).
    """
    wishes = options or ServingOptions()
    result = attempt(model, instance, wishes, tells_every_layout=True)
    if result.fits:
        return replace(result, notes=tuple(notes_on(result, wishes)), warnings=tuple(warnings_on(result, wishes)))
    return replace(result, suggestions=tuple(suggestions_for(result, wishes)))


def plan_named(model_id: str, instance_type: str, options: ServingOptions, *, region: str = REFERENCE_REGION) -> Plan:
    """Return the plan of a locked model on a type of the catalogue, at the prices of a region.

    Raises:
        WrongQuestion: The model or the type is unknown, or the options are no valid question.
    """
    return plan(find_model(model_id), find_instance(instance_type, region), options)


def nothing_fits_lines(model: ModelFacts, refused: Sequence[Plan], wishes: ServingOptions) -> Iterator[str]:
    """Yield why no type fits, each cause once with the type that comes nearest, then what would work there instead."""
    by_code: dict[str, list[Plan]] = {}
    for one in refused:
        by_code.setdefault(one.refusals[-1].code, []).append(one)
    for code, plans in sorted(by_code.items(), key=lambda item: -len(item[1])):
        nearest = max(plans, key=_gpu_memory)
        same = len({one.refusals[-1].message for one in plans}) == 1
        which = f"{len(plans)} types" if len(plans) > 1 else nearest.instance.type
        shown = "" if same or len(plans) == 1 else f"the largest, {nearest.instance.type}: "
        yield f"{which}: {code}: {shown}{nearest.refusals[-1].message}"
    nearest = max(refused, key=_gpu_memory)
    for suggestion in plan(model, nearest.instance, wishes).suggestions:
        of_type = "" if suggestion.startswith("the cheapest") else f" on {nearest.instance.type}"
        yield f"would work{of_type}: {suggestion}"


def _gpu_memory(plan: Plan) -> float:
    return plan.instance.gpus * plan.instance.gpu_memory_gib
