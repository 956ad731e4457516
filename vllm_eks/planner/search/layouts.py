"""The search for a layout: which sizes are tried in which order, and the first that fits or why none does."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.engine.validity import Refusal, rule_refusals
from vllm_eks.planner.engine.versions import NATIVE_MULTI_NODE
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.rank_weights import weights_deviation
from vllm_eks.planner.memory.stages import Layout, build_layout
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.fit import (
    check_version,
    context_refusals,
    disk_refusals,
    host_refusals,
    memory_refusal,
)
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.start_rules import batch_for_states, batch_refusal, state_refusal
from vllm_eks.planner.units import BYTES_PER_GIB
from vllm_eks.planner.vllm_version import parse_version

MOST_NODES = 16
"""Largest number of nodes tried for one replica. Our bound: each stage adds a hop to every token."""

MOST_NODES_OF_A_GROUP = 450
"""Nodes of an EKS managed node group (EKS user guide, service quotas: nodes per managed node group)."""

SMALLER_BATCHES = (512, 256, 128, 64, 32)
"""What the default of --max-num-seqs is lowered to before a node is added: nobody asked for it, and nodes cost."""

STILL_COUNTED = {"pipeline_unsupported", "context_too_long", "dtype_unsupported", "quantization_unsupported"}
"""Refusals beside which the memory of a layout can still be counted."""


def attempt(
    model: ModelFacts, instance: InstanceType, wishes: ServingOptions, *, tells_every_layout: bool = False
) -> Plan:
    """Return the first layout that fits, or a plan with a refusal for each layout tried.

    Tensor parallel takes the largest power of two of the node's GPUs that the rules allow; pipeline parallel takes what
    is left of the node's GPUs, then nodes of the same type, as few as fit. Layouts whose weights alone cannot fit are
    tried only for a refusal that `tells_every_layout`.

    Raises:
        WrongQuestion: The options are no valid question (a version never read, sizes below 1).
    """
    limit = model.architecture.max_position_embeddings
    options = resolve(wishes, instance, context_limit_tokens=limit)
    check_version(model, options)
    replicas, zones = wishes.replicas, wishes.zones
    found = Plan(
        model=model, instance=instance, options=options, replicas=replicas, zones=zones, layout=None, refusals=()
    )
    tp, rules = _tensor_parallel(model, instance, options, wishes)
    against = (*context_refusals(model, options), *rules, *disk_refusals(model, instance, options))
    if tp:
        workers = tp * max(1, min(wishes.replicas // wishes.zones, instance.gpus // tp))
        against += tuple(host_refusals(model, instance, options, workers=workers))
    if against:
        return replace(found, refusals=against, layout=_layout_all_the_same(found, wishes, against))
    options = _batch_for_states(model, options, wishes, tp)
    small = batch_refusal(model, options, tensor_parallel_size=tp)
    if small:
        return replace(found, refusals=(small,))
    refusals: list[Refusal] = []
    sizes = _pipeline_sizes(model, instance, wishes, tp)
    if not tells_every_layout:
        sizes = sizes[min(_hopeless(model, instance, options, tp), len(sizes) - 1) :]
    last = found
    for pp in sizes:
        tried = _largest_batch(model, instance, _batches(options, wishes), tp, pp)
        last = replace(found, layout=tried.layout, options=tried.options)
        beyond = (tried.refusal,) if tried.refusal else (*_host_refusals(last), *_group_refusals(last))
        if not beyond:
            return last
        if beyond[0].code == "not_enough_gpus":
            return replace(last, refusals=beyond)
        refusals.append(beyond[0])
    return replace(last, refusals=tuple(refusals))


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """One layout with one batch size."""

    options: ResolvedOptions
    layout: Layout
    refusal: Refusal | None


def _batches(options: ResolvedOptions, wishes: ServingOptions) -> tuple[ResolvedOptions, ...]:
    """Return the options with each --max-num-seqs to try, the largest first: the one asked for, or the default down."""
    if wishes.max_num_seqs is not None:
        return (options,)
    smaller = (seqs for seqs in SMALLER_BATCHES if seqs < options.max_num_seqs)
    return (options, *(replace(options, max_num_seqs=seqs) for seqs in smaller))


def _largest_batch(
    model: ModelFacts, instance: InstanceType, batches: tuple[ResolvedOptions, ...], tp: int, pp: int
) -> _Tried:
    """Return a layout with the largest batch that fits it; where none does, the refusal of the smallest."""
    first = _try_layout(model, instance, batches[0], tp, pp)
    if first.refusal is None or len(batches) == 1:
        return first
    least = _try_layout(model, instance, batches[-1], tp, pp)
    if least.refusal:
        # One sum for each layout is enough: the smallest batch says what nothing could change.
        message = f"{least.refusal.message} (even with --max-num-seqs {least.options.max_num_seqs})"
        return replace(least, refusal=replace(least.refusal, message=message))
    between = (_try_layout(model, instance, options, tp, pp) for options in batches[1:-1])
    return next((tried for tried in between if tried.refusal is None), least)


def _try_layout(model: ModelFacts, instance: InstanceType, options: ResolvedOptions, tp: int, pp: int) -> _Tried:
    layout = build_layout(model, instance, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
    refusal = memory_refusal(layout, options) or state_refusal(model, layout, options)
    return _Tried(options=options, layout=layout, refusal=refusal)


def _batch_for_states(model: ModelFacts, options: ResolvedOptions, wishes: ServingOptions, tp: int) -> ResolvedOptions:
    """Return the options with a default --max-num-batched-tokens that the version starts with."""
    if wishes.max_num_batched_tokens is not None:
        return options
    least = batch_for_states(model, options, tensor_parallel_size=tp)
    return replace(options, max_num_batched_tokens=max(options.max_num_batched_tokens, least))


def _hopeless(model: ModelFacts, instance: InstanceType, options: ResolvedOptions, tp: int) -> int:
    """Return how many pipeline sizes, from 1, cannot even hold the weights spread evenly."""
    budget = instance.gpu_memory_gib * BYTES_PER_GIB * options.gpu_memory_utilization * tp
    return int(model.weights_bytes * weights_deviation(model).low / budget)


def _layout_all_the_same(found: Plan, wishes: ServingOptions, against: tuple[Refusal, ...]) -> Layout | None:
    """Return the memory of a layout asked for by size that only a version, a GPU or the context limit refuses."""
    tp, pp = wishes.tensor_parallel_size, wishes.pipeline_parallel_size
    if tp is None or pp is None or any(refusal.code not in STILL_COUNTED for refusal in against):
        return None
    return build_layout(found.model, found.instance, found.options, tensor_parallel_size=tp, pipeline_parallel_size=pp)


def _tensor_parallel(
    model: ModelFacts, instance: InstanceType, options: ResolvedOptions, wishes: ServingOptions
) -> tuple[int, tuple[Refusal, ...]]:
    """Return the tensor parallel size, and the rules against it when none is allowed."""
    refusals: tuple[Refusal, ...] = ()
    for tp in _tensor_sizes(instance, wishes):
        broken = rule_refusals(
            model.architecture,
            instance,
            options,
            tensor_parallel_size=tp,
            pipeline_parallel_size=wishes.pipeline_parallel_size or 1,
        )
        if not broken:
            return tp, ()
        refusals += tuple(r for r in broken if r not in refusals)
    return 0, refusals


def _tensor_sizes(instance: InstanceType, wishes: ServingOptions) -> Iterator[int]:
    if wishes.tensor_parallel_size:
        yield wishes.tensor_parallel_size
        return
    # Only powers of two: with 3, 5, 6 or 7 the padded vocabulary or the KV heads practically never divide.
    size = 1 << (instance.gpus.bit_length() - 1)
    while size:
        yield size
        size //= 2


def _host_refusals(plan: Plan) -> Iterator[Refusal]:
    """Yield why a node's host memory may not last where several stages load on it."""
    workers = plan.gpus_per_pod * min(plan.replicas // plan.zones, plan.replicas_per_node)
    return host_refusals(plan.model, plan.instance, plan.options, workers=workers)


def _group_refusals(plan: Plan) -> Iterator[Refusal]:
    """Yield that one zone's node group cannot have so many nodes."""
    if plan.nodes_per_zone > MOST_NODES_OF_A_GROUP:
        yield Refusal(
            code="not_enough_gpus",
            message=f"{plan.replicas:,} replicas take {plan.nodes_per_zone:,} nodes in one zone, and an EKS managed "
            f"node group holds {MOST_NODES_OF_A_GROUP} at most: lower --replicas, or spread them over zones",
        )


def _pipeline_sizes(model: ModelFacts, instance: InstanceType, wishes: ServingOptions, tp: int) -> range:
    if wishes.pipeline_parallel_size:
        return range(wishes.pipeline_parallel_size, wishes.pipeline_parallel_size + 1)
    native = parse_version(wishes.vllm_version) >= NATIVE_MULTI_NODE
    most = MOST_NODES if native else max(1, instance.gpus // tp)
    return range(1, min(most, model.architecture.num_hidden_layers) + 1)
