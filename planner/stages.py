"""Memory of each pipeline stage of one layout; the tightest stage decides for all."""

from dataclasses import dataclass
from functools import cached_property

from planner import memory
from planner.instances import InstanceType
from planner.memory import BLOCK_TOKENS, Term
from planner.models import ModelFacts
from planner.options import ResolvedOptions
from planner.units import BYTES_PER_GIB, gib
from planner.versions import CUDA_GRAPHS_IN_BUDGET


def stage_layers(num_layers: int, pipeline_parallel_size: int) -> tuple[int, ...]:
    """Return how many layers each stage holds: vLLM distributed/utils.py, get_pp_indices.

    The remainder goes one each to stages from the second last backwards, never to the last one.

    >>> stage_layers(126, 4), stage_layers(61, 2), stage_layers(94, 4)
    ((31, 32, 32, 31), (31, 30), (23, 24, 24, 23))
    """
    base, remainder = divmod(num_layers, pipeline_parallel_size)
    layers = [base] * pipeline_parallel_size
    for offset in range(remainder):
        layers[pipeline_parallel_size - 2 - offset] += 1
    return tuple(layers)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One rank of one pipeline stage (all its ranks are alike)."""

    index: int
    first_layer: int
    layers: int
    total_bytes: float
    budget_bytes: int
    weights: Term
    activations: Term
    overheads: tuple[Term, ...]
    outside_budget_bytes: float
    """CUDA graphs, in the versions that capture them after and beside the budget."""
    kv_bytes_per_token: int

    @property
    def overhead_bytes(self) -> float:
        """Everything in the budget that is neither weights, activations nor KV cache."""
        return sum(term.size_bytes for term in self.overheads)

    @property
    def needed_bytes(self) -> float:
        """What the rank takes before the first token of KV cache."""
        return self.weights.size_bytes + self.activations.size_bytes + self.overhead_bytes

    @property
    def kv_cache_bytes(self) -> float:
        """What is left for the KV cache; below zero when the rank does not even start."""
        return self.budget_bytes - self.needed_bytes

    @property
    def blocks(self) -> int:
        """Whole KV-cache blocks of 16 tokens."""
        return max(0, int(self.kv_cache_bytes // (self.kv_bytes_per_token * BLOCK_TOKENS)))

    @property
    def graphs_overflow_bytes(self) -> float:
        """How far CUDA graphs outside the budget exceed the memory the budget leaves free."""
        return self.outside_budget_bytes - (self.total_bytes - self.budget_bytes)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way to split the model, with the memory of each stage."""

    tensor_parallel_size: int
    pipeline_parallel_size: int
    stages: tuple[Stage, ...]

    @cached_property
    def tightest(self) -> Stage:
        """The stage with the fewest blocks: vLLM gives every rank as many as it has."""
        return min(self.stages, key=lambda stage: (stage.blocks, stage.kv_cache_bytes))

    @property
    def kv_cache_tokens(self) -> int:
        """Tokens of KV cache of the replica, over all requests."""
        return self.tightest.blocks * BLOCK_TOKENS

    @property
    def label(self) -> str:
        """How people name the layout."""
        return f"TP={self.tensor_parallel_size} PP={self.pipeline_parallel_size}"


def build_layout(
    model: ModelFacts,
    instance: InstanceType,
    options: ResolvedOptions,
    *,
    tensor_parallel_size: int,
    pipeline_parallel_size: int,
) -> Layout:
    """Return the memory of every stage of a layout whose rules hold."""
    counts = stage_layers(model.architecture.num_hidden_layers, pipeline_parallel_size)
    starts = [sum(counts[:index]) for index in range(len(counts))]
    return Layout(
        tensor_parallel_size=tensor_parallel_size,
        pipeline_parallel_size=pipeline_parallel_size,
        stages=tuple(
            _stage(model, instance, options, tensor_parallel_size, counts, index, starts[index])
            for index in range(len(counts))
        ),
    )


def _stage(
    model: ModelFacts,
    instance: InstanceType,
    options: ResolvedOptions,
    tp: int,
    counts: tuple[int, ...],
    index: int,
    first_layer: int,
) -> Stage:
    architecture, layers = model.architecture, counts[index]
    is_first, is_last = index == 0, index == len(counts) - 1
    graphs = memory.cuda_graph_term(options, layers=layers)
    inside = options.version >= CUDA_GRAPHS_IN_BUDGET
    non_torch = memory.non_torch_term(tensor_parallel_size=tp, pipeline_parallel_size=len(counts))
    return Stage(
        index=index,
        first_layer=first_layer,
        layers=layers,
        total_bytes=instance.gpu_memory_gib * BYTES_PER_GIB,
        budget_bytes=memory.budget_bytes(instance.gpu_memory_gib, options.gpu_memory_utilization),
        weights=_weights_term(model, options, tp, range(first_layer, first_layer + layers), is_first, is_last),
        activations=memory.activation_term(
            architecture, options, tensor_parallel_size=tp, is_first=is_first, is_last=is_last
        ),
        overheads=(non_torch, graphs) if inside else (non_torch,),
        outside_budget_bytes=0.0 if inside else graphs.size_bytes,
        kv_bytes_per_token=memory.kv_bytes_per_token(
            architecture, layers=layers, tensor_parallel_size=tp, kv_dtype_bytes=options.kv_dtype_bytes
        ),
    )


def _weights_term(
    model: ModelFacts, options: ResolvedOptions, tp: int, layers: range, is_first: bool, is_last: bool
) -> Term:
    """Weights of one rank: its layers' shards, and embedding, vision tower and head where they stand."""
    architecture, parts = model.architecture, model.parts
    share = expert_share(architecture.experts.count, tp, options) if architecture.experts else 1 / tp
    size = sum(
        parts.layers[i].rank_bytes(
            tensor_parallel_size=tp, kv_heads=architecture.num_key_value_heads, expert_share=share
        )
        for i in layers
    )
    extras = []
    if is_first:
        size += parts.embedding_bytes / tp + parts.vision_bytes / tp
        extras.append("embedding" + (" and vision tower" if parts.vision_bytes else ""))
    if is_last:
        # A tied embedding is loaded again on the last stage when that is not the first one.
        tied_copy = parts.embedding_bytes if parts.tied and not is_first else 0
        size += (parts.head_bytes + tied_copy) / tp + parts.final_norm_bytes
        extras.append("head")
    return Term(
        name="weights",
        size_bytes=size * model.weights_scale,
        rule=f"layers {layers.start}-{layers.stop - 1} over TP={tp}"
        + (f", {', '.join(extras)}" if extras else "")
        + f" ({model.weights_source}: {gib(model.weights_bytes):.2f} GiB in all)",
    )


def expert_share(experts: int, tensor_parallel_size: int, options: ResolvedOptions) -> float:
    """Return the part of the routed experts that the fullest rank holds.

    With expert parallel the experts stay whole and the remainder goes to the first ranks.
    """
    if options.enable_expert_parallel:
        return -(-experts // tensor_parallel_size) / experts
    return 1 / tensor_parallel_size
