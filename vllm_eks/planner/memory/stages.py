"""Memory of each pipeline stage of a layout. The tightest stage decides the KV cache of all."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

from vllm_eks.planner.engine.model_runner import counts_graphs
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.hardware.instances import Gpu, InstanceType
from vllm_eks.planner.memory import terms as memory
from vllm_eks.planner.memory.activations import activation_term, sampler_state_term
from vllm_eks.planner.memory.budget import split_budget
from vllm_eks.planner.memory.constants import CUDA_CONTEXT_BYTES
from vllm_eks.planner.memory.draft import with_draft
from vllm_eks.planner.memory.flag_terms import flag_terms
from vllm_eks.planner.memory.kv_cache import CacheLayout, cache_layout
from vllm_eks.planner.memory.lora import lora_term
from vllm_eks.planner.memory.rank_weights import weights_term
from vllm_eks.planner.memory.rotary import rotary_term
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.stage_layers import stage_layers
from vllm_eks.planner.ranges import Range, exactly
from vllm_eks.planner.units import BYTES_PER_GIB


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """One rank of a pipeline stage. All ranks of a stage are the same."""

    index: int
    first_layer: int
    layers: int
    total_bytes: float
    budget_bytes: int
    weights: Term
    tables: Term
    """Rotary tables, which vLLM logs as part of the weights."""
    activations: Term
    overheads: tuple[Term, ...]
    outside_budget: Range
    """Bytes of CUDA graphs, in versions that capture them outside the budget."""
    cache: CacheLayout
    block_bytes: int
    """Bytes of one KV-cache block over all layers of this rank."""
    kv_cache: Range
    """Bytes of the KV cache: those that are left, or those that a flag sets. Negative when the rank cannot start."""
    free: Range
    """Bytes left for the KV cache, also where a flag sets its size."""
    drafted_layers: int = 0
    """Layers of a drafter with a KV cache, after the model's own."""

    @property
    def layer_range(self) -> range:
        """The layers of this stage."""
        return range(self.first_layer, self.first_layer + self.layers)

    @property
    def cached_layers(self) -> range:
        """The layers of this stage that have a KV cache, with those of a drafter."""
        return range(self.first_layer, self.first_layer + self.layers + self.drafted_layers)

    @property
    def terms(self) -> tuple[Term, ...]:
        """All memory that the budget pays for before the KV cache."""
        return (self.weights, self.tables, self.activations, *self.overheads)

    @property
    def loaded_bytes(self) -> float:
        """Best estimate of the model memory that vLLM logs: weights and rotary tables."""
        return self.weights.size_bytes + self.tables.size_bytes

    @property
    def overhead_bytes(self) -> float:
        """The part of the budget that is not weights, activations or KV cache."""
        return sum(term.size_bytes for term in self.overheads)

    @property
    def needed_bytes(self) -> float:
        """Best estimate of the memory in the budget without the KV cache."""
        return self.loaded_bytes + self.activations.size_bytes + self.overhead_bytes

    @property
    def kv_cache_bytes(self) -> float:
        """Best estimate of the KV cache."""
        return self.kv_cache.best

    @property
    def outside_budget_bytes(self) -> float:
        """Best estimate of the CUDA graphs outside the budget."""
        return self.outside_budget.best

    @property
    def kv_bytes_per_token(self) -> int:
        """KV-cache bytes of one token over all layers of this rank."""
        return self.cache.token_bytes(self.cached_layers)

    def blocks(self, kv_cache_bytes: float) -> int:
        """Return the number of whole KV-cache blocks that fit in this many bytes."""
        return int(kv_cache_bytes // self.block_bytes) if kv_cache_bytes > 0 and self.block_bytes else 0

    @property
    def graphs_overflow_bytes(self) -> float:
        """Bytes by which the CUDA graphs exceed the memory outside the budget, by their high estimate.

        Fragmentation may raise the activation peak during graph capture. The CUDA context is outside the budget too.
        """
        if not self.outside_budget.high:
            return 0.0
        slack = self.activations.bytes.high - self.activations.bytes.best
        return self.outside_budget.high + slack + CUDA_CONTEXT_BYTES - (self.total_bytes - self.budget_bytes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """A split of the model, with the memory of each stage."""

    tensor_parallel_size: int
    pipeline_parallel_size: int
    stages: tuple[Stage, ...]

    @cached_property
    def tightest(self) -> Stage:
        """The stage with the fewest blocks. vLLM gives all ranks the same number."""
        return min(self.stages, key=lambda stage: (stage.blocks(stage.kv_cache.best), stage.kv_cache.best))

    @cached_property
    def blocks(self) -> tuple[int, int, int]:
        """Blocks of each rank: low, best and high estimate."""
        return (
            min(stage.blocks(stage.kv_cache.low) for stage in self.stages),
            min(stage.blocks(stage.kv_cache.best) for stage in self.stages),
            min(stage.blocks(stage.kv_cache.high) for stage in self.stages),
        )

    def least_blocks(self, *, cautious: bool) -> int:
        """Return the blocks of each rank by the low or the likely estimate."""
        return min(stage.blocks(stage.kv_cache.low if cautious else stage.kv_cache.likely) for stage in self.stages)

    @property
    def cache(self) -> CacheLayout:
        """The cache groups, which are the same on all stages."""
        return self.stages[0].cache

    @property
    def label(self) -> str:
        """The layout's name, such as TP=8 PP=2."""
        return f"TP={self.tensor_parallel_size} PP={self.pipeline_parallel_size}"


def build_layout(
    model: ModelFacts,
    instance: InstanceType,
    options: ResolvedOptions,
    *,
    tensor_parallel_size: int,
    pipeline_parallel_size: int,
) -> Layout:
    """Return the memory of each stage of a layout that breaks no rule."""
    return _layout(model, instance.one_gpu, options, tensor_parallel_size, pipeline_parallel_size)


@lru_cache(maxsize=4096)
def _layout(model: ModelFacts, gpu: Gpu, options: ResolvedOptions, tp: int, pp: int) -> Layout:
    # Cached: many instance types have the same GPU. Terms that all stages share are computed once.
    architecture = model.architecture
    counts = stage_layers(architecture.num_hidden_layers, pp, architecture.layers_of_block)
    cache = cache_layout(architecture, gpu.sm, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
    non_torch = memory.non_torch_term(gpu, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
    activations = {
        is_last: activation_term(architecture, gpu, options, tensor_parallel_size=tp, is_last=is_last)
        for is_last in {pp == 1, True}
    }
    buffers = {
        is_first: memory.buffers_term(architecture, options, groups=cache.groups_with_tokens, is_first=is_first)
        for is_first in {pp == 1, True}
    }
    sampler, compiling = sampler_state_term(architecture, options), memory.compiling_term(options)
    of_flags = flag_terms(options)
    captured = memory.captured_graphs(options)
    inside = counts_graphs(architecture, options.version, options.drafting)
    stages: list[Stage] = []
    for index, count in enumerate(counts):
        first = sum(counts[:index])
        weights = weights_term(
            model,
            gpu,
            options,
            layers=range(first, first + count),
            tensor_parallel_size=tp,
            is_first=index == 0,
            is_last=index == pp - 1,
        )
        if index == pp - 1:
            weights = with_draft(weights, model, options, tensor_parallel_size=tp, stages=pp)
        drafted = cache.layers - architecture.num_hidden_layers if index == pp - 1 else 0
        adapters = (lora_term(architecture, options, layers=count),) if options.max_loras else ()
        # With adapters vLLM captures each graph twice, with and without them.
        graphs = memory.cuda_graph_term(architecture, captured * (2 if adapters else 1), layers=count + drafted)
        tables = rotary_term(architecture, options, gpu.sm, layers=range(first, first + count))
        kept = (non_torch, buffers[index == 0], sampler if index == pp - 1 else None, compiling)
        terms = _Terms(
            weights=weights,
            tables=tables,
            activations=activations[index == pp - 1],
            overheads=(*(term for term in kept if term), *adapters, *of_flags),
            graphs=graphs,
            drafted_layers=drafted,
        )
        stages.append(_stage(gpu, options, cache, range(first, first + count), index, terms, inside=inside))
    return Layout(tensor_parallel_size=tp, pipeline_parallel_size=pp, stages=tuple(stages))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Terms:
    """The memory of one rank, except its KV cache."""

    weights: Term
    tables: Term
    activations: Term
    overheads: tuple[Term, ...]
    graphs: Term
    drafted_layers: int


def _stage(
    gpu: Gpu, options: ResolvedOptions, cache: CacheLayout, layers: range, index: int, terms: _Terms, *, inside: bool
) -> Stage:
    overheads = (*terms.overheads, terms.graphs) if inside else terms.overheads
    needed = (terms.weights, terms.tables, terms.activations, *overheads)
    block_bytes = cache.block_bytes(range(layers.start, layers.stop + terms.drafted_layers))
    budget = split_budget(gpu, options, needed, block_bytes=block_bytes)
    return Stage(
        index=index,
        first_layer=layers.start,
        layers=len(layers),
        total_bytes=gpu.memory_gib * BYTES_PER_GIB,
        budget_bytes=budget.bytes,
        weights=terms.weights,
        tables=terms.tables,
        activations=terms.activations,
        overheads=overheads,
        outside_budget=exactly(0.0) if inside else terms.graphs.bytes,
        cache=cache,
        block_bytes=block_bytes,
        kv_cache=budget.kv_cache,
        free=budget.free,
        drafted_layers=terms.drafted_layers,
    )
