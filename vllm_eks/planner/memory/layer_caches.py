"""The memory that a decoder layer keeps for each token or request, on one rank."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from vllm_eks.planner.engine.versions import CHUNKED_ATTENTION_IN_HYBRID, INDICES_SHARED, STATE_CHECKPOINTS
from vllm_eks.planner.memory.states import state_bytes
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import (
    Beside,
    CompressedLatent,
    GroupedQuery,
    KimiDelta,
    Latent,
    Mamba2,
    NoMixer,
    StateMixer,
)
from vllm_eks.planner.vllm_version import Version

INDEX_VALUE_BYTES = 2
INDEXER_BYTES_PER_TOKEN = 132
"""DeepSeek V3.2's sparse indexer: 128 FP8 values and a 4-byte scale per token and layer."""


@dataclass(frozen=True, kw_only=True)
class LayerCache:
    """The cache of one layer on one rank."""

    token_bytes: int
    """Bytes per token; 0 for a layer that keeps a state."""
    state_bytes: int = 0
    """Bytes per request, independent of its length."""
    window_tokens: int | None = None
    states: int = 1
    """States that a request keeps with prefix caching: also the previous one, and in some mixers a checkpoint."""
    is_chunked: bool = False
    """Whether the window is one of Llama 4's fixed chunks."""
    is_cross: bool = False
    """Whether it keeps an encoder's output, of at most one batch, instead of the request's tokens."""


@dataclass(frozen=True, kw_only=True)
class CacheGroup:
    """Layers that share block numbers."""

    layers: tuple[int, ...]
    """Ascending. A layer with two caches of the group is in it twice."""
    cache: LayerCache
    block_tokens: int
    """Tokens of one block. A group whose layers need fewer bytes has larger blocks, so that all pages are equal."""
    pages: tuple[int, ...] = ()
    """Bytes per block of each of `layers` where they differ, or none."""

    def page_bytes_within(self, layers: range, page_bytes: int) -> int:
        """Return the bytes of one block over the group's layers on a stage, with pages of this size or its own."""
        first, end = bisect_left(self.layers, layers.start), bisect_left(self.layers, layers.stop)
        return sum(self.pages[first:end]) if self.pages else page_bytes * (end - first)


@dataclass(frozen=True, kw_only=True)
class CacheFormat:
    """How the attention kernels keep the cache."""

    value_bytes: int
    """Of one key or value."""
    latent_bytes: int
    """Of a token's latent vector, without the indexer's values."""
    step_tokens: int
    """Tokens of the kernels' blocks, of which the larger blocks of hybrids are multiples."""
    block_tokens: int
    window_block_tokens: int
    """Tokens of a block where all layers have the same window."""


def layer_caches(model: Architecture, index: int, tp: int, form: CacheFormat, version: Version) -> Iterator[LayerCache]:
    """Yield the caches of a layer: mostly one, none without a mixer, two if it has attention and Mamba."""
    attention = model.attention[index]
    match attention:
        case NoMixer():
            return
        case GroupedQuery() | Latent():
            if not (isinstance(attention, GroupedQuery) and attention.shares_cache):
                yield (own := _attention_cache(model, attention, index, tp, form, version))
                if isinstance(attention, GroupedQuery) and attention.has_cross:
                    yield replace(own, is_cross=True)
        case Beside():
            yield _attention_cache(model, attention.attention, index, tp, form, version)
            yield _state_cache(model, attention.state, tp, version)
        case CompressedLatent():
            raise TypeError("packed_cache.py has the caches of compressed attention")
        case _:
            yield _state_cache(model, attention, tp, version)


def _state_cache(model: Architecture, mixer: StateMixer, tp: int, version: Version) -> LayerCache:
    # Prefix caching keeps the previous state too ("align" mode), except in models without attention, and some mixers
    # one that they save in the middle of a prompt (num_prefill_checkpoint_blocks).
    saves = isinstance(mixer, Mamba2) or (isinstance(mixer, KimiDelta) and mixer.saves_checkpoints)
    checkpoints = int(saves and version >= STATE_CHECKPOINTS)
    states = 1 if model.is_attention_free else 2 + checkpoints
    return LayerCache(token_bytes=0, state_bytes=state_bytes(mixer, tensor_parallel_size=tp), states=states)


def _attention_cache(
    model: Architecture,
    attention: GroupedQuery | Latent,
    index: int,
    tp: int,
    form: CacheFormat,
    version: Version,
) -> LayerCache:
    if isinstance(attention, Latent):
        if attention.caches_heads:
            values = 2 * attention.heads // tp * (attention.qk_nope_head_dim + attention.qk_rope_head_dim)
            return LayerCache(token_bytes=values * form.value_bytes)
        # One compressed vector serves all heads, so every rank keeps all of it.
        sparse = model.latent is not None and model.latent.index_heads > 0
        indexed = attention.index_heads or (sparse and version < INDICES_SHARED)
        return LayerCache(token_bytes=form.latent_bytes + (INDEXER_BYTES_PER_TOKEN if indexed else 0))
    window, is_chunked = attention.window_tokens, False
    if model.chunk_tokens and index not in model.unchunked_layers and version >= CHUNKED_ATTENTION_IN_HYBRID:
        window, is_chunked = model.chunk_tokens, True
    return LayerCache(
        token_bytes=kv_bytes_per_token(attention, tensor_parallel_size=tp, kv_dtype_bytes=form.value_bytes),
        window_tokens=window,
        is_chunked=is_chunked,
    )


def kv_bytes_per_token(attention: GroupedQuery, *, tensor_parallel_size: int, kv_dtype_bytes: int) -> int:
    """Return the bytes of one token's keys and values per layer and rank, with max(1, KV heads // TP) heads."""
    heads = max(1, attention.kv_heads // tensor_parallel_size)
    # The indexer of MiniMax M3 has one key for all heads, in 16 bits.
    indexed = attention.index_head_dim * INDEX_VALUE_BYTES
    return heads * (attention.head_dim + attention.value_size) * kv_dtype_bytes + indexed
