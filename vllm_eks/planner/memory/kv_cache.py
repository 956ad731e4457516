"""KV-cache blocks: how vLLM groups layers, how many blocks fit on a rank, and how many one request needs.

Follows v1/core/kv_cache_utils.py (0.33: kv_cache_planning.py) and v1/kv_cache_interface.py in the wheels of 0.10 to
0.33. Layers of the same kind form a group. All groups take blocks of one size from one pool, and a block of a group
holds one page for each of its layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

from vllm_eks.planner.engine.attention import (
    BLOCK_TOKENS,
    grouped_block_tokens,
    kv_value_bytes,
    latent_block_tokens,
    latent_token_bytes,
)
from vllm_eks.planner.engine.model_runner import batches_in_flight
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import (
    BLOCKS_OF_HYBRIDS_FOLLOW_FLAG,
    CONCURRENCY_IS_CAPACITY,
    GROUPS_OF_LARGER_SIZE,
    GROUPS_OF_MUCH_LARGER_SIZE,
    NULL_BLOCK_RESERVED,
    PACKED_PAGES_OVERLAP,
    WINDOWS_IGNORE_BLOCK_SIZE,
)
from vllm_eks.planner.memory.cached_layers import cached_layers
from vllm_eks.planner.memory.layer_caches import CacheFormat, CacheGroup, LayerCache, layer_caches
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import CompressedLatent, GroupedQuery
from vllm_eks.planner.models.stage_layers import stage_layers
from vllm_eks.planner.vllm_version import Version

LATENT_STEP_TOKENS = 128
"""Hybrids with latent attention have blocks of a multiple of this (platforms/interface.py, hybrid block size)."""
INDEXED_BLOCK_TOKENS = 128
"""Block of the block-sparse attention of MiniMax M3 (in 0.32.0)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CacheLayout:
    """The groups of a model at one TP size."""

    groups: tuple[CacheGroup, ...]
    block_tokens: int
    page_bytes: int | None
    """Bytes per block and layer, 0 when groups state them, or None when the layers of the only group differ."""
    layer_token_bytes: tuple[float, ...]
    has_tuples: bool = False
    """Whether a block is made of tuples of pages (DeepSeek V4 before 0.27)."""
    first_stage: range = range(0)
    """The layers of the first pipeline stage."""
    batches_in_flight: int = 1
    """Batches whose tokens a window still holds, because of async scheduling and pipeline stages."""

    @property
    def layers(self) -> int:
        """Layers of the model and its drafter."""
        return len(self.layer_token_bytes)

    @property
    def groups_with_tokens(self) -> int:
        """Groups whose cache grows with the tokens. A state has few blocks for each request."""
        return sum(not group.cache.state_bytes for group in self.groups)

    def block_bytes(self, layers: range) -> int:
        """Return the bytes of one block on the rank that holds these layers."""
        if self.page_bytes is None:
            return round(self.block_tokens * sum(self.layer_token_bytes[layers.start : layers.stop]))
        if self.has_tuples:
            from vllm_eks.planner.memory.packed_cache import tuple_bytes

            return tuple_bytes(self.groups, layers)
        # Groups share the same memory, so the largest one decides.
        return max(group.page_bytes_within(layers, self.page_bytes) for group in self.groups)

    def token_bytes(self, layers: range) -> int:
        """Return the bytes of one token over these layers, as long as it is inside every window."""
        return round(sum(self.layer_token_bytes[layers.start : layers.stop]))

    def blocks_per_request(self, length_tokens: int, options: ResolvedOptions) -> int:
        """Return the number of blocks that a request of this length may need, over all groups."""
        return sum(
            _blocks_needed(group.cache, length_tokens, group.block_tokens, self.batches_in_flight, options)
            for group in self.groups
        )

    def _printed_blocks(self, length_tokens: int, options: ResolvedOptions) -> int:
        """Return the blocks of a request by which vLLM prints its concurrency: with tuples, in blocks of one group."""
        if not self.has_tuples:
            return self.blocks_per_request(length_tokens, options)
        sizes = [group.page_bytes_within(self.first_stage, 0) for group in self.groups]
        whole = next(i for i, group in enumerate(self.groups) if group.cache.window_tokens is None)
        needed = [_blocks_needed(group.cache, length_tokens, group.block_tokens, 1, options) for group in self.groups]
        return ceil(sum(size * count for size, count in zip(sizes, needed, strict=True)) / sizes[whole])

    def reserved_blocks(self, version: Version) -> int:
        """Return the number of blocks that the start-up check reserves: the null block, since 0.29."""
        return 1 if version >= NULL_BLOCK_RESERVED else 0

    def printed_tokens(self, blocks: int, options: ResolvedOptions) -> int:
        """Return the "GPU KV cache size" that vLLM logs, in tokens.

        Since 0.20 this is concurrency x max_model_len. Earlier versions log blocks // groups x the smallest block size,
        which is too low for models with windows or states (v1/core/kv_cache_utils.py, _report_kv_cache_config). Without
        prefix caching, the block of a state is --max-model-len (models/config.py, mamba_block_size; row N51).
        """
        length = options.max_model_len
        ranks = options.decode_context_parallel_size
        if options.version >= CONCURRENCY_IS_CAPACITY:
            return int(blocks / self._printed_blocks(length, options) * length)
        has_states = self.groups_with_tokens < len(self.groups)
        smallest = min(self.block_tokens, length) if has_states and not options.caches_prefixes else self.block_tokens
        return blocks // len(self.groups) * smallest * ranks


def _blocks_needed(
    cache: LayerCache, length_tokens: int, block_tokens: int, batches: int, options: ResolvedOptions
) -> int:
    if cache.state_bytes:
        # Each drafted token has its own state (MambaSpec.num_speculative_blocks).
        return (cache.states if options.caches_prefixes else 1) + options.drafted_tokens
    if cache.is_cross:
        return ceil(options.max_num_batched_tokens / block_tokens)  # CrossAttentionSpec, max_admission_blocks
    if cache.window_tokens is None:
        return ceil(ceil(length_tokens / options.decode_context_parallel_size) / block_tokens)
    in_flight = options.max_num_batched_tokens * batches
    if cache.is_chunked:
        return ceil(min(cache.window_tokens + in_flight, length_tokens) / block_tokens)
    return ceil(min(cache.window_tokens - 1 + in_flight, length_tokens) / block_tokens) + 1


def cache_layout(
    model: Architecture,
    sm: int,
    options: ResolvedOptions,
    *,
    tensor_parallel_size: int,
    pipeline_parallel_size: int = 1,
) -> CacheLayout:
    """Return the cache groups of a model and its drafter at these parallel sizes, on GPUs of this capability."""
    cached = cached_layers(model, options.flags, tensor_parallel_size=tensor_parallel_size)
    of_kernels = latent_block_tokens(model, sm, options) if model.latent else grouped_block_tokens(model, sm, options)
    if any(isinstance(one, GroupedQuery) and one.index_heads for one in model.mixers):
        of_kernels = INDEXED_BLOCK_TOKENS
    asked = options.flags.block_tokens or 0
    step = max(of_kernels, LATENT_STEP_TOKENS) if model.latent else of_kernels
    since, until = WINDOWS_IGNORE_BLOCK_SIZE
    form = CacheFormat(
        value_bytes=kv_value_bytes(model, sm, options),
        latent_bytes=latent_token_bytes(model, sm, options, tensor_parallel_size=tensor_parallel_size),
        block_tokens=asked or of_kernels,
        window_block_tokens=of_kernels if since <= options.version < until else asked or of_kernels,
        step_tokens=max(step, asked) if options.version >= BLOCKS_OF_HYBRIDS_FOLLOW_FLAG else step,
    )
    layout = _cache_layout(cached, tensor_parallel_size, form, options.version)
    return replace(
        layout,
        batches_in_flight=batches_in_flight(model, options, pipeline_parallel_size),
        first_stage=range(stage_layers(model.num_hidden_layers, pipeline_parallel_size)[0]),
    )


@lru_cache(maxsize=1024)
def _cache_layout(model: Architecture, tp: int, form: CacheFormat, version: Version) -> CacheLayout:
    compressed = [one for one in model.attention if isinstance(one, CompressedLatent)]
    if compressed:
        # Imported here, because one family needs it.
        from vllm_eks.planner.memory.packed_cache import PACKED_BLOCK_TOKENS, packed_groups, packed_token_bytes

        groups = packed_groups(compressed, version)
        return CacheLayout(
            groups=groups,
            block_tokens=PACKED_BLOCK_TOKENS,
            page_bytes=0,
            layer_token_bytes=packed_token_bytes(groups, len(compressed)),
            has_tuples=version < PACKED_PAGES_OVERLAP,
        )
    layers = range(model.num_hidden_layers)
    kept = [(index, one) for index in layers for one in layer_caches(model, index, tp, form, version)]
    caches = [one for _, one in kept]
    tokens = [0] * model.num_hidden_layers
    for index, one in kept:
        tokens[index] += one.token_bytes
    if all(not one.state_bytes and _grows_like(one, caches[0]) for one in caches):
        windows = caches[0].window_tokens is not None and not caches[0].is_chunked
        block = form.window_block_tokens if windows else form.block_tokens
        whole = CacheGroup(layers=tuple(index for index, _ in kept), cache=caches[0], block_tokens=block)
        return CacheLayout(groups=(whole,), block_tokens=block, page_bytes=None, layer_token_bytes=tuple(tokens))
    block = max(form.block_tokens, _hybrid_block_tokens(caches, form.step_tokens))
    page = max(block * max(one.token_bytes for one in caches), max(one.state_bytes for one in caches))
    return CacheLayout(
        groups=_groups(kept, block, page, version),
        block_tokens=block,
        page_bytes=page,
        layer_token_bytes=tuple(tokens),
    )


def _grows_like(one: LayerCache, other: LayerCache) -> bool:
    return (one.window_tokens, one.is_cross) == (other.window_tokens, other.is_cross)


def _hybrid_block_tokens(caches: Sequence[LayerCache], step: int) -> int:
    """Return the smallest multiple of the kernels' block whose attention page is at least as large as a state."""
    state, token = max(one.state_bytes for one in caches), max(one.token_bytes for one in caches)
    if not token:
        return BLOCK_TOKENS  # only states, which do not grow with the length
    return step * max(1, ceil(state / (step * token)))


def _groups(
    kept: Sequence[tuple[int, LayerCache]], block_tokens: int, page_bytes: int, version: Version
) -> tuple[CacheGroup, ...]:
    """Return the groups of _get_kv_cache_groups_uniform_page_size, each as large as the rarest kind of layer."""
    kinds: dict[LayerCache, list[int]] = {}
    for index, one in kept:
        kinds.setdefault(one, []).append(index)
    fewest, most = min(map(len, kinds.values())), max(map(len, kinds.values()))
    size = most if most < fewest * _padding_limit(version) else fewest
    groups: list[CacheGroup] = []
    for kind, layers in kinds.items():
        count = ceil(len(layers) / size)
        block = _larger_block(kind, block_tokens, page_bytes)
        groups += [
            CacheGroup(layers=tuple(layers[start::count]), cache=kind, block_tokens=block) for start in range(count)
        ]
    return tuple(groups)


def _larger_block(kind: LayerCache, block_tokens: int, page_bytes: int) -> int:
    """Return the tokens that fill a page, or the usual number if the page is not a multiple of it and is padded.

    Source: unify_kv_cache_spec_page_size of 0.32.
    """
    own = kind.token_bytes * block_tokens
    return block_tokens * (page_bytes // own) if own and page_bytes % own == 0 else block_tokens


def _padding_limit(version: Version) -> float:
    """Return the ratio of layer counts up to which vLLM pads the smaller kind instead of splitting the larger one."""
    if version >= GROUPS_OF_MUCH_LARGER_SIZE:
        return 1.5
    return 1.25 if version >= GROUPS_OF_LARGER_SIZE else 1.0
