"""The search for a layout: the sizes tried, their order, and the first that fits or why none does."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.engine.validity import Refusal, rule_refusals
from vllm_eks.planner.engine.versions import BROKEN_ACROSS_NODES, NATIVE_MULTI_NODE
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.lora import host_adapter_bytes
from vllm_eks.planner.memory.offload import host_bytes_of_flags
from vllm_eks.planner.memory.rank_weights import weights_deviation
from vllm_eks.planner.memory.stages import Layout, build_layout
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.defaults import Sizes, lowered, sizes_to_try, with_sizes
from vllm_eks.planner.search.fit import (
    check_version,
    context_refusals,
    disk_refusals,
    host_refusals,
    memory_refusal,
)
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.start_rules import batch_for_states, batch_refusal, stage_refusals, state_refusal
from vllm_eks.planner.units import BYTES_PER_GIB
from vllm_eks.planner.vllm_version import parse_version

MAX_NODES = 16
"""Largest number of nodes tried for one replica. The planner's own limit: each stage adds a network hop to every
token."""

MAX_NODES_PER_GROUP = 450
"""Quota of nodes per EKS managed node group (EKS user guide, service quotas)."""

MEMORY_STILL_COMPUTED = {"pipeline_unsupported", "context_too_long", "dtype_unsupported", "quantization_unsupported"}
"""Refusals for which the memory of a layout can still be computed."""


def try_layouts(
    model: ModelFacts, instance: InstanceType, requested: ServingOptions, *, report_every_layout: bool = False
) -> Plan:
    """Return a plan with the first layout that fits, or with a refusal for each layout tried.

    The tensor parallel size is the largest power of two of the node's GPUs that the rules allow. The pipeline stages
    use the other GPUs of the node first, then as few more nodes of the same type as fit. Layouts that cannot hold the
    weights alone are skipped unless `report_every_layout` is set.

    Raises:
        WrongQuestion: The options are invalid (an unsupported version, sizes below 1).
    """
    limit = model.architecture.context_limit(parse_version(requested.vllm_version))
    options = resolve(requested, instance, context_limit_tokens=limit)
    check_version(model, options)
    replicas, zones = requested.replicas, requested.zones
    base = Plan(
        model=model, instance=instance, options=options, replicas=replicas, zones=zones, layout=None, refusals=()
    )
    tp, rules = _tensor_parallel(model, instance, options, requested)
    early_refusals = (*context_refusals(model, options), *rules, *disk_refusals(model, instance, options))
    if tp:
        workers = tp * max(1, min(requested.replicas // requested.zones, instance.gpus // tp))
        early_refusals += tuple(host_refusals(model, instance, options, workers=workers, cautious=False))
    if early_refusals:
        return replace(base, refusals=early_refusals, layout=_layout_for_report(base, requested, early_refusals))
    least_batch = batch_for_states(model, instance.sm, options, tensor_parallel_size=tp)
    if requested.max_num_batched_tokens is None:
        options = replace(options, max_num_batched_tokens=max(options.max_num_batched_tokens, least_batch))
    too_small = batch_refusal(model, instance.sm, options, tensor_parallel_size=tp)
    if too_small:
        return replace(base, refusals=(too_small,))
    sizes = _pipeline_sizes(model, instance, requested, tp)
    if not report_every_layout:
        sizes = sizes[min(_min_pipeline_size(model, instance, options, tp) - 1, len(sizes) - 1) :]
    batches = sizes_to_try(model, options, requested, least_batch=least_batch)
    return _fewest_nodes(base, (_answered(base, options, batches, tp, pp) for pp in sizes))


def _fewest_nodes(base: Plan, answers: Iterator[Plan]) -> Plan:
    """Return the first plan that fits, or one that likely fits on fewer nodes, or the last with every refusal.

    Args:
        base: The plan without a layout.
        answers: A plan for each number of stages, in ascending order.
    """
    refusals: list[Refusal] = []
    likely: Plan | None = None
    plan = base
    for plan in answers:
        if likely and plan.total_nodes > likely.total_nodes:
            return likely
        if plan.verdict == "fits":
            return plan
        if plan.fits:
            likely = likely or plan
        elif plan.refusals[0].code == "not_enough_gpus":
            return likely or plan
        else:
            refusals.append(plan.refusals[0])
            if plan.refusals[0].code == "pipeline_unsupported":
                break  # so are more stages
    return likely or replace(plan, refusals=tuple(refusals))


def _answered(base: Plan, options: ResolvedOptions, sizes: tuple[Sizes, ...], tp: int, pp: int) -> Plan:
    """Return the plan of a layout, with its refusals, or with doubts if it fits only by the likely estimates."""
    tried = _largest_sizes(base.model, base.instance, options, sizes, tp, pp)
    plan = replace(base, layout=tried.layout, options=tried.options)
    rules = stage_refusals(base.model, base.instance, tried.options, tp, pp)
    if rules or tried.refusal:
        return replace(plan, refusals=rules[:1] or (tried.refusal,))
    refused = (*_host_refusals(plan, cautious=False), *_group_refusals(plan))
    if refused:
        return replace(plan, refusals=refused)
    return replace(plan, doubts=(*tried.doubts, *_host_refusals(plan, cautious=True)))


@dataclass(frozen=True, kw_only=True, eq=False)
class _TriedLayout:
    """A layout with one set of sizes, the refusal if it does not fit, and the doubts if it only likely fits."""

    options: ResolvedOptions
    layout: Layout
    refusal: Refusal | None
    doubts: tuple[Refusal, ...]

    @property
    def surely_fits(self) -> bool:
        return self.refusal is None and not self.doubts


def _largest_sizes(
    model: ModelFacts, instance: InstanceType, options: ResolvedOptions, sizes: tuple[Sizes, ...], tp: int, pp: int
) -> _TriedLayout:
    """Return the layout with the first sizes that surely fit, or with the smallest ones when none do.

    If the smallest sizes likely fit with the default context too, it is kept: a shorter one would not make them surely
    fit.
    """

    def tried(chosen: Sizes) -> _TriedLayout:
        return _try_layout(model, instance, with_sizes(options, chosen), tp, pp)

    first = tried(sizes[0])
    without_smaller = first.refusal and first.refusal.code == "pipeline_unsupported"
    if first.surely_fits or len(sizes) == 1 or without_smaller:
        return first
    least = tried(sizes[-1])
    if least.refusal:
        # One message per layout is enough: if the smallest sizes do not fit, none do.
        lower = ", ".join(f"{flag} {value}" for flag, (value, _) in lowered(least.options, first.options).items())
        return replace(least, refusal=replace(least.refusal, message=f"{least.refusal.message} (even with {lower})"))
    if least.surely_fits:
        return next((one for one in map(tried, sizes[1:-1]) if one.surely_fits), least)
    small = tried([one for one in sizes if one[2] == first.options.max_model_len][-1])
    return least if small.refusal else small


def _try_layout(model: ModelFacts, instance: InstanceType, options: ResolvedOptions, tp: int, pp: int) -> _TriedLayout:
    layout = build_layout(model, instance, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)

    def refused(*, cautious: bool) -> Refusal | None:
        memory = memory_refusal(layout, options, cautious=cautious)
        return memory or state_refusal(model, layout, options, cautious=cautious)

    if likely := refused(cautious=False):
        return _TriedLayout(options=options, layout=layout, refusal=likely, doubts=())
    doubt = refused(cautious=True)
    return _TriedLayout(options=options, layout=layout, refusal=None, doubts=(doubt,) if doubt else ())


def _min_pipeline_size(model: ModelFacts, instance: InstanceType, options: ResolvedOptions, tp: int) -> int:
    """Return the smallest pipeline size that could hold the weights if they were spread evenly."""
    if not options.flags.offload.is_off:
        return 1
    budget = instance.gpu_memory_gib * BYTES_PER_GIB * options.gpu_memory_utilization * tp
    return 1 + int(model.loaded_bytes * weights_deviation(model).low / budget)


def _layout_for_report(base: Plan, requested: ServingOptions, refusals: tuple[Refusal, ...]) -> Layout | None:
    """Return a refused layout of the requested sizes, so that its memory can be shown, or None when it has none."""
    tp, pp = requested.tensor_parallel_size, requested.pipeline_parallel_size
    if tp is None or pp is None or any(refusal.code not in MEMORY_STILL_COMPUTED for refusal in refusals):
        return None
    return build_layout(base.model, base.instance, base.options, tensor_parallel_size=tp, pipeline_parallel_size=pp)


def _tensor_parallel(
    model: ModelFacts, instance: InstanceType, options: ResolvedOptions, requested: ServingOptions
) -> tuple[int, tuple[Refusal, ...]]:
    """Return the tensor parallel size and no refusals, or 0 and the refusals of every size tried."""
    refusals: tuple[Refusal, ...] = ()
    for tp in _tensor_sizes(instance, requested):
        refused = rule_refusals(
            model.architecture,
            instance,
            options,
            tensor_parallel_size=tp,
            pipeline_parallel_size=requested.pipeline_parallel_size or 1,
        )
        if not refused:
            return tp, ()
        refusals += tuple(refusal for refusal in refused if refusal not in refusals)
    return 0, refusals


def _tensor_sizes(instance: InstanceType, requested: ServingOptions) -> Iterator[int]:
    if requested.tensor_parallel_size:
        yield requested.tensor_parallel_size
        return
    # Only powers of two: 3, 5, 6 and 7 almost never divide the padded vocabulary and the KV heads.
    size = 1 << (instance.gpus.bit_length() - 1)
    while size:
        yield size
        size //= 2


def _host_refusals(plan: Plan, *, cautious: bool) -> Iterator[Refusal]:
    """Yield a refusal when all stages that load on one node exhaust its host memory."""
    workers = plan.gpus_per_pod * min(plan.replicas // plan.zones, plan.replicas_per_node)
    kept = host_bytes_of_flags(
        plan.options.flags,
        weights_per_worker=plan.model.loaded_bytes / plan.ranks,
        workers=workers,
        ranks_of_replica=plan.ranks,
    )
    kept += workers * host_adapter_bytes(plan.model.architecture, plan.options)
    return host_refusals(plan.model, plan.instance, plan.options, workers=workers, cautious=cautious, kept_bytes=kept)


def _group_refusals(plan: Plan) -> Iterator[Refusal]:
    """Yield a refusal when one zone needs more nodes than a node group can have."""
    if plan.nodes_per_zone > MAX_NODES_PER_GROUP:
        yield Refusal(
            code="not_enough_gpus",
            message=f"{plan.replicas:,} replicas need {plan.nodes_per_zone:,} nodes in one zone, and an EKS managed "
            f"node group can have {MAX_NODES_PER_GROUP}: lower --replicas, or spread them over zones",
        )


def _pipeline_sizes(model: ModelFacts, instance: InstanceType, requested: ServingOptions, tp: int) -> range:
    if requested.pipeline_parallel_size:
        return range(requested.pipeline_parallel_size, requested.pipeline_parallel_size + 1)
    version = parse_version(requested.vllm_version)
    native = version >= NATIVE_MULTI_NODE and version not in BROKEN_ACROSS_NODES
    largest = MAX_NODES if native else max(1, instance.gpus // tp)
    return range(1, min(largest, model.architecture.num_hidden_layers) + 1)
