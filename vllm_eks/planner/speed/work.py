"""The bytes and operations of one rank for a step, without any measured constant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from vllm_eks.planner.engine.attention import is_fp8, kv_cache_dtype
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.rank_weights import expert_share
from vllm_eks.planner.memory.stages import Layout, Stage
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.layer_weights import BYTES_PER_16BIT, LayerWeights, compute_layer
from vllm_eks.planner.models.mixers import Attention, Beside, CompressedLatent, GroupedQuery, Latent
from vllm_eks.planner.models.quantization import NONE, Quantization
from vllm_eks.planner.speed.kernels import Kernel, kernel_of

SPARSE_CONTEXT_TOKENS = 2048
"""Tokens that the sparse attention of DeepSeek V3.2 reads (index_topk in its config.json)."""


@dataclass(frozen=True, kw_only=True)
class Matrices:
    """Weights that every token of a step passes, or the routed experts of a rank."""

    kernel: Kernel
    weight_bytes: float
    flops_per_token: float
    """Of each token, with the experts that it is routed to."""


@dataclass(frozen=True, kw_only=True)
class Routing:
    """How a token chooses among experts."""

    count: int
    per_token: int
    ranks: int
    """Ranks over which whole experts are distributed: 1 when every rank has a shard of each."""


@dataclass(frozen=True, kw_only=True)
class CacheRead:
    """The part of the KV cache that layers of one kind read."""

    token_bytes: float
    """Bytes per token over these layers."""
    window_tokens: int | None


@dataclass(frozen=True, kw_only=True)
class AttentionWork:
    """The operations of attention in layers of one kind."""

    prompt_flops: float
    """Per prompt token and token before it."""
    decode_flops: float
    """Per decoding request and token of its context."""
    window_tokens: int | None


@dataclass(frozen=True, kw_only=True)
class StageWork:
    """One rank of a pipeline stage."""

    layers: int
    mixture_layers: int
    hidden_size: int
    dense: Matrices
    experts: Matrices | None
    routing: Routing | None
    head: Matrices | None
    """Output projection on the last stage, read in every step, for tokens with an output only."""
    caches: tuple[CacheRead, ...]
    has_narrow_cache: bool
    """Whether the values of the KV cache have 8 bits, which attention kernels widen."""
    state_bytes_per_request: float
    attention: tuple[AttentionWork, ...]
    launched_layers: int
    """Layers by the kernels that the host starts. Latent attention and states have about twice as many."""


def stage_works(
    model: ModelFacts, instance: InstanceType, layout: Layout, options: ResolvedOptions
) -> tuple[StageWork, ...]:
    """Return the work of one rank of each stage."""
    return _stage_works(model, instance.sm, layout, options)


@lru_cache(maxsize=1024)
def _stage_works(model: ModelFacts, sm: int, layout: Layout, options: ResolvedOptions) -> tuple[StageWork, ...]:
    # Cached: types with the same GPU have the same layout.
    return tuple(_stage_work(model, sm, layout, stage, options) for stage in layout.stages)


def _stage_work(model: ModelFacts, sm: int, layout: Layout, stage: Stage, options: ResolvedOptions) -> StageWork:
    architecture, tp, indices = model.architecture, layout.tensor_parallel_size, stage.layer_range
    experts, quantization = architecture.experts, architecture.quantization
    plain = _plain_layers(architecture)
    share = expert_share(experts.count, tp, options) if experts else 0.0
    stored = _sums([model.parts.layers[index] for index in indices], tp, architecture, share)
    values = _sums([plain[index] for index in indices], tp, architecture, 1 / tp)
    last = indices[-1] if indices else 0
    prefix, mixtures = f"model.layers.{last}", [index for index in indices if index in architecture.moe_layers]
    routed = None
    if experts and mixtures:
        routed = Matrices(
            kernel=kernel_of(quantization.of(_first_expert(architecture, mixtures[-1])), sm),
            weight_bytes=stored[1] * model.weights_scale,
            flops_per_token=2 * values[1] / BYTES_PER_16BIT * experts.per_token / experts.count,
        )
    head = None
    if stage is layout.stages[-1]:
        size = architecture.vocab_size * architecture.hidden_size / tp
        head = Matrices(kernel="16-bit", weight_bytes=size * BYTES_PER_16BIT, flops_per_token=2 * size)
    return StageWork(
        layers=len(indices),
        mixture_layers=len(mixtures),
        hidden_size=architecture.hidden_size,
        dense=Matrices(
            kernel=kernel_of(_dense_format(model, prefix), sm),
            weight_bytes=stored[0] * model.weights_scale,
            flops_per_token=2 * values[0] / BYTES_PER_16BIT,
        ),
        experts=routed,
        routing=Routing(
            count=experts.count, per_token=experts.per_token, ranks=tp if options.enable_expert_parallel else 1
        )
        if experts and routed
        else None,
        head=head,
        caches=tuple(_cache_reads(model, stage)),
        has_narrow_cache=is_fp8(kv_cache_dtype(architecture, sm, options)),
        state_bytes_per_request=_state_bytes(stage),
        attention=_by_window([_attention(architecture.attention[index], tp) for index in indices]),
        launched_layers=sum(1 if isinstance(architecture.attention[i], GroupedQuery) else 2 for i in indices),
    )


def _first_expert(architecture: Architecture, layer: int) -> str:
    return f"model.layers.{layer}.{architecture.expert_module}.0.up_proj"


def _dense_format(model: ModelFacts, prefix: str) -> Quantization | None:
    quantization = model.architecture.quantization
    for module in ("mlp.down_proj", "self_attn.o_proj", "self_attn.q_proj"):
        found = quantization.of(f"{prefix}.{module}")
        if found is not None:
            return found
    return None


@lru_cache(maxsize=512)
def _plain_layers(architecture: Architecture) -> tuple[LayerWeights, ...]:
    """Return the layers as if all weights had 16 bits, which counts their parameters by split."""
    plain = replace(architecture, quantization=NONE)
    kinds: dict[tuple[object, ...], LayerWeights] = {}
    layers: list[LayerWeights] = []
    for index in range(plain.num_hidden_layers):
        key = (plain.attention[index], index in plain.moe_layers, plain.shapes[index] if plain.shapes else None)
        if key not in kinds:
            kinds[key] = compute_layer(plain, index)
        layers.append(kinds[key])
    return tuple(layers)


def _sums(layers: list[LayerWeights], tp: int, architecture: Architecture, share: float) -> tuple[float, float]:
    """Return the bytes of a rank outside the routed experts, and in them."""
    kv_heads = architecture.num_key_value_heads
    dense = sum(one.rank_bytes(tensor_parallel_size=tp, kv_heads=kv_heads, expert_share=0.0) for one in layers)
    return dense, sum(one.expert_bytes for one in layers) * share


def _cache_reads(model: ModelFacts, stage: Stage) -> Iterator[CacheRead]:
    sizes: dict[int | None, float] = {}
    cache, sparse = stage.cache, model.architecture.latent is not None and model.architecture.latent.index_heads
    for group in cache.groups:
        layers = [index for index in group.layers if index in stage.cached_layers]
        if cache.page_bytes is None:
            size = sum(cache.layer_token_bytes[index] for index in layers)
        elif group.pages:
            size = group.page_bytes_within(stage.cached_layers, 0) / group.block_tokens
        else:
            size = group.cache.token_bytes * len(layers)
        window = SPARSE_CONTEXT_TOKENS if sparse else group.cache.window_tokens
        sizes[window] = sizes.get(window, 0.0) + size
    for window, size in sizes.items():
        if size:
            yield CacheRead(token_bytes=size, window_tokens=window)


def _state_bytes(stage: Stage) -> float:
    """Return the bytes of states that a step reads for one request on the stage, and writes again."""
    return sum(
        2 * group.cache.state_bytes * sum(1 for index in group.layers if index in stage.cached_layers)
        for group in stage.cache.groups
    )


def _by_window(layers: Sequence[AttentionWork]) -> tuple[AttentionWork, ...]:
    """Return the sum of the layers with each window."""
    windows = dict.fromkeys(one.window_tokens for one in layers if one.prompt_flops)
    return tuple(
        AttentionWork(
            prompt_flops=sum(one.prompt_flops for one in layers if one.window_tokens == window),
            decode_flops=sum(one.decode_flops for one in layers if one.window_tokens == window),
            window_tokens=window,
        )
        for window in windows
    )


def _attention(mixer: Attention, tp: int) -> AttentionWork:
    match mixer:
        case GroupedQuery():
            flops = 2 * mixer.heads / tp * (mixer.head_dim + mixer.value_size)
            return AttentionWork(prompt_flops=flops, decode_flops=flops, window_tokens=mixer.window_tokens)
        case Latent():
            # A prompt's keys and values are expanded; decoding works on the latents (MLA's absorbed form).
            expanded = mixer.qk_nope_head_dim + mixer.qk_rope_head_dim + mixer.v_head_dim
            absorbed = 2 * mixer.kv_lora_rank + mixer.qk_rope_head_dim
            return AttentionWork(
                prompt_flops=2 * mixer.heads / tp * expanded,
                decode_flops=2 * mixer.heads / tp * absorbed,
                window_tokens=SPARSE_CONTEXT_TOKENS if mixer.index_heads else None,
            )
        case Beside():
            return _attention(mixer.attention, tp)
        case CompressedLatent():
            flops = 4 * mixer.heads / tp * mixer.head_dim
            return AttentionWork(prompt_flops=flops, decode_flops=flops, window_tokens=mixer.window_tokens)
        case _:
            return AttentionWork(prompt_flops=0.0, decode_flops=0.0, window_tokens=None)
