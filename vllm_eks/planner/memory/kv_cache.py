"""KV-cache blocks: how vLLM groups layers, how many blocks fit on a rank, and how many one request needs.

Follows v1/core/kv_cache_utils.py (0.33: kv_cache_planning.py) and v1/kv_cache_interface.py in the wheels of 0.10 to
0.33. Layers of the same kind form a group. All groups take blocks of one size from one pool, and a block of a group
holds one page for each of its layers.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

from vllm_eks.planner.engine.model_runner import uses_second_runner
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import (
    BATCHES_IN_FLIGHT,
    CHUNKED_ATTENTION_IN_HYBRID,
    CONCURRENCY_IS_CAPACITY,
    GROUPS_OF_LARGER_SIZE,
    GROUPS_OF_MUCH_LARGER_SIZE,
    NULL_BLOCK_RESERVED,
)
from vllm_eks.planner.memory.cached_layers import cached_layers
from vllm_eks.planner.memory.constants import BLOCK_TOKENS
from vllm_eks.planner.models.architecture import Architecture, GroupedQuery, Latent, LinearState
from vllm_eks.planner.vllm_version import Version

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
    is_chunked: bool = False
    """Whether the window is one of Llama 4's fixed chunks."""


@dataclass(frozen=True, kw_only=True)
class CacheGroup:
    """Layers that share block numbers."""

    layers: tuple[int, ...]
    """Ascending."""
    cache: LayerCache

    def layers_within(self, layers: range) -> int:
        """Return the number of the group's layers on a stage."""
        return bisect_left(self.layers, layers.stop) - bisect_left(self.layers, layers.start)


@dataclass(frozen=True, kw_only=True)
class CacheLayout:
    """The groups of a model at one TP size."""

    groups: tuple[CacheGroup, ...]
    block_tokens: int
    page_bytes: int | None
    """Bytes per block and layer, or None when the layers of a group differ and each has its own page."""
    layer_token_bytes: tuple[int, ...]
    batches_in_flight: int = 1
    """Batches whose tokens a window still holds, because of async scheduling and pipeline stages."""

    @property
    def layers(self) -> int:
        """Layers of the model and its drafter."""
        return len(self.layer_token_bytes)

    def block_bytes(self, layers: range) -> int:
        """Return the bytes of one block on the rank that holds these layers."""
        if self.page_bytes is None:
            return self.block_tokens * sum(self.layer_token_bytes[index] for index in layers)
        # Groups share the same memory, so the one with the most layers decides.
        return self.page_bytes * max(group.layers_within(layers) for group in self.groups)

    def token_bytes(self, layers: range) -> int:
        """Return the bytes of one token over these layers, as long as it is inside every window."""
        return sum(self.layer_token_bytes[index] for index in layers)

    def blocks_per_request(self, length_tokens: int, options: ResolvedOptions) -> int:
        """Return the number of blocks that a request of this length may need, over all groups."""
        return sum(
            _blocks_needed(group.cache, length_tokens, self.block_tokens, self.batches_in_flight, options)
            for group in self.groups
        )

    def reserved_blocks(self, version: Version) -> int:
        """Return the number of blocks that the start-up check reserves: the null block, since 0.29."""
        return 1 if version >= NULL_BLOCK_RESERVED else 0

    def printed_tokens(self, blocks: int, options: ResolvedOptions) -> int:
        """Return the "GPU KV cache size" that vLLM logs, in tokens.

        Since 0.20 this is concurrency x max_model_len. Earlier versions log blocks // groups x block size, which is too
        low for models with windows or states.
        """
        length = options.max_model_len
        ranks = options.decode_context_parallel_size
        if options.version >= CONCURRENCY_IS_CAPACITY:
            return int(blocks / self.blocks_per_request(length, options) * length)
        return blocks // len(self.groups) * self.block_tokens * ranks


def _blocks_needed(
    cache: LayerCache, length_tokens: int, block_tokens: int, batches: int, options: ResolvedOptions
) -> int:
    if cache.state_bytes:
        # Prefix caching also keeps the previous state ("align" mode).
        # Each drafted token has a state of its own (MambaSpec.num_speculative_blocks).
        return (2 if options.caches_prefixes else 1) + options.drafted_tokens
    if cache.window_tokens is None:
        return ceil(ceil(length_tokens / options.decode_context_parallel_size) / block_tokens)
    in_flight = options.max_num_batched_tokens * batches
    if cache.is_chunked:
        return ceil(min(cache.window_tokens + in_flight, length_tokens) / block_tokens)
    return ceil(min(cache.window_tokens - 1 + in_flight, length_tokens) / block_tokens) + 1


def cache_layout(
    model: Architecture, options: ResolvedOptions, *, tensor_parallel_size: int, pipeline_parallel_size: int = 1
) -> CacheLayout:
    """Return the cache groups of a model and its drafter at these parallel sizes."""
    cached = cached_layers(model, options.flags, tensor_parallel_size=tensor_parallel_size)
    is_32bit, block = cached.dtype == "float32", options.flags.block_tokens or BLOCK_TOKENS
    layout = _cache_layout(cached, tensor_parallel_size, options.kv_dtype_bytes, options.version, is_32bit, block)
    return replace(
        layout, batches_in_flight=batches_in_flight(model, options.version, pipeline_parallel_size, options.drafting)
    )


def batches_in_flight(
    model: Architecture, version: Version, pipeline_parallel_size: int, drafting: str | None = None
) -> int:
    """Return the number of batches in flight at once (config/vllm.py, max_concurrent_batches).

    Async scheduling overlaps two batches. A pipeline has one per stage, and one more with the second model runner.
    """
    if version < BATCHES_IN_FLIGHT:
        return 1
    if uses_second_runner(model, version, drafting):
        return pipeline_parallel_size + 1
    return 2 if pipeline_parallel_size == 1 else pipeline_parallel_size


@lru_cache(maxsize=1024)
def _cache_layout(
    model: Architecture, tp: int, kv_bytes: int, version: Version, is_32bit: bool, block_tokens: int
) -> CacheLayout:
    if kv_bytes == 2 and is_32bit:
        kv_bytes = 4
    caches = [_layer_cache(model, index, tp, kv_bytes, version) for index in range(model.num_hidden_layers)]
    tokens = tuple(one.token_bytes for one in caches)
    if all(not one.state_bytes and one.window_tokens == caches[0].window_tokens for one in caches):
        whole = CacheGroup(layers=tuple(range(len(caches))), cache=caches[0])
        return CacheLayout(groups=(whole,), block_tokens=block_tokens, page_bytes=None, layer_token_bytes=tokens)
    block = max(block_tokens, _hybrid_block_tokens(caches))
    return CacheLayout(
        groups=_groups(caches, version),
        block_tokens=block,
        page_bytes=max(block * max(tokens), max(one.state_bytes for one in caches)),
        layer_token_bytes=tokens,
    )


def _layer_cache(model: Architecture, index: int, tp: int, kv_bytes: int, version: Version) -> LayerCache:
    attention = model.attention[index]
    if isinstance(attention, Latent):
        # One compressed vector serves all heads, so every rank keeps all of it.
        token = (attention.kv_lora_rank + attention.qk_rope_head_dim) * kv_bytes
        return LayerCache(token_bytes=token + (INDEXER_BYTES_PER_TOKEN if attention.index_heads else 0))
    if isinstance(attention, LinearState):
        values = attention.value_heads * attention.key_head_dim * attention.value_head_dim
        convolution = attention.conv_size * (attention.conv_kernel - 1) * 2
        return LayerCache(token_bytes=0, state_bytes=(values * attention.state_value_bytes + convolution) // tp)
    window, is_chunked = attention.window_tokens, False
    if model.chunk_tokens and index not in model.unchunked_layers and version >= CHUNKED_ATTENTION_IN_HYBRID:
        window, is_chunked = model.chunk_tokens, True
    return LayerCache(
        token_bytes=kv_bytes_per_token(attention, tensor_parallel_size=tp, kv_dtype_bytes=kv_bytes),
        window_tokens=window,
        is_chunked=is_chunked,
    )


def kv_bytes_per_token(attention: GroupedQuery, *, tensor_parallel_size: int, kv_dtype_bytes: int) -> int:
    """Return the bytes of one token's keys and values per layer and rank, with max(1, KV heads // TP) heads."""
    heads = max(1, attention.kv_heads // tensor_parallel_size)
    return 2 * heads * attention.head_dim * kv_dtype_bytes


def _hybrid_block_tokens(caches: Sequence[LayerCache]) -> int:
    """Return the smallest multiple of 16 tokens whose attention page is at least as large as a state."""
    state = max(one.state_bytes for one in caches)
    token = max(one.token_bytes for one in caches)
    if not token:
        return BLOCK_TOKENS  # only states, which do not grow with the length
    return BLOCK_TOKENS * max(1, ceil(state / (BLOCK_TOKENS * token)))


def _groups(caches: Sequence[LayerCache], version: Version) -> tuple[CacheGroup, ...]:
    """Return the groups of _get_kv_cache_groups_uniform_page_size, each as large as the rarest kind of layer."""
    kinds: dict[LayerCache, list[int]] = {}
    for index, one in enumerate(caches):
        kinds.setdefault(one, []).append(index)
    fewest, most = min(map(len, kinds.values())), max(map(len, kinds.values()))
    size = most if most < fewest * _padding_limit(version) else fewest
    groups: list[CacheGroup] = []
    for kind, layers in kinds.items():
        count = ceil(len(layers) / size)
        groups += [CacheGroup(layers=tuple(layers[start::count]), cache=kind) for start in range(count)]
    return tuple(groups)


def _padding_limit(version: Version) -> float:
    """Return the ratio of layer counts up to which vLLM pads the smaller kind instead of splitting the larger one."""
    if version >= GROUPS_OF_MUCH_LARGER_SIZE:
        return 1.5
    return 1.25 if version >= GROUPS_OF_LARGER_SIZE else 1.0
