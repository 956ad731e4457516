"""The caches of compressed attention (DeepSeek V4): pages of several sizes, packed side by side into blocks.

Follows models/deepseek_v4 (get_kv_cache_spec of its attention, indexer and compressors) and
_get_packed_kv_cache_groups of v1/core/kv_cache_utils.py in 0.32.0.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from vllm_eks.planner.engine.versions import PACKED_GROUPS_FOLLOW_MIXED, PACKED_PAGES_OVERLAP
from vllm_eks.planner.memory.layer_caches import INDEXER_BYTES_PER_TOKEN, CacheGroup, LayerCache
from vllm_eks.planner.models.mixers import CompressedLatent
from vllm_eks.planner.vllm_version import Version

PACKED_BLOCK_TOKENS = 256
WINDOW_BLOCK_TOKENS = 64
PACKED_LATENT_BYTES = 584
"""fp8_ds_mla of DeepSeek V4: 448 values in FP8, 64 with their position in 16 bits, and 8 bytes of scales."""
PAGE_STEP_BYTES = 576
"""Pages are multiples of this."""
COMPRESSOR_VALUE_BYTES = 4
Buckets = dict[tuple[int | None, int], dict[int, list[int]]]
"""Window and tokens of a block -> page bytes -> layers."""


@dataclass(frozen=True, kw_only=True)
class PackedCache:
    """One cache of a layer."""

    window_tokens: int | None
    block_tokens: int
    page_bytes: int


def packed_caches(attention: CompressedLatent) -> Iterator[PackedCache]:
    """Yield what a layer keeps: a window of latents, the compressed ones, and what the compressors work on."""
    yield _cache(attention.window_tokens, WINDOW_BLOCK_TOKENS, WINDOW_BLOCK_TOKENS * PACKED_LATENT_BYTES)
    if not attention.ratio:
        return
    compressed = PACKED_BLOCK_TOKENS // attention.ratio
    yield _cache(None, PACKED_BLOCK_TOKENS, compressed * PACKED_LATENT_BYTES)
    window, block = attention.overlap * attention.ratio, 4 if attention.overlap == 2 else 8
    value_bytes = 2 * attention.overlap * block * COMPRESSOR_VALUE_BYTES
    yield _cache(window, block, value_bytes * attention.head_dim)
    if attention.index_heads:
        yield _cache(None, PACKED_BLOCK_TOKENS, compressed * INDEXER_BYTES_PER_TOKEN)
        yield _cache(window, block, value_bytes * attention.index_head_dim)


def _cache(window_tokens: int | None, block_tokens: int, size_bytes: int) -> PackedCache:
    page = ceil(size_bytes / PAGE_STEP_BYTES) * PAGE_STEP_BYTES
    return PackedCache(window_tokens=window_tokens, block_tokens=block_tokens, page_bytes=page)


def packed_token_bytes(groups: Sequence[CacheGroup], layers: int) -> tuple[float, ...]:
    """Return the bytes of one token in each layer, as long as it is inside every window."""
    found = [0.0] * layers
    for group in groups:
        for index, page in zip(group.layers, group.pages, strict=True):
            found[index] += page / group.block_tokens
    return tuple(found)


def packed_groups(attention: Sequence[CompressedLatent], version: Version) -> tuple[CacheGroup, ...]:
    """Return the groups of all layers: caches with one window and block share block numbers.

    Kinds of caches with as many layers of every page size are split so that their groups are about as large as the
    smallest that mixes sizes. Before 0.29, windows are split so that their groups are about as large as the most layers
    with one page size that keep the whole context (_get_kv_cache_groups_uniform_groups).
    """
    buckets: Buckets = {}
    for index, one in enumerate(attention):
        for cache in packed_caches(one):
            sizes = buckets.setdefault((cache.window_tokens, cache.block_tokens), {})
            sizes.setdefault(cache.page_bytes, []).append(index)
    even = {key: len(next(iter(sizes.values()))) for key, sizes in buckets.items() if _is_even(sizes)}
    least = max((layers for key, layers in even.items() if len(buckets[key]) > 1), default=0)
    if version < PACKED_GROUPS_FOLLOW_MIXED:
        tuples = {key: max(map(len, sizes.values())) for key, sizes in buckets.items()}
        least = max((layers for key, layers in tuples.items() if key[0] is None), default=0)
        even = {key: layers for key, layers in tuples.items() if key[0] is not None}
        size = _least_padding(list(tuples.values()), least) if least else 0
    else:
        size = _least_padding(list(even.values()), least) if least else 0
    if version < PACKED_PAGES_OVERLAP:
        buckets = _padded(buckets)
    groups: list[CacheGroup] = []
    for key, sizes in buckets.items():
        count = ceil(even[key] / size) if size and key in even else 1
        groups += [_group(key, sizes, start, count) for start in range(count)]
    return tuple(groups)


def tuple_bytes(groups: Sequence[CacheGroup], layers: range) -> int:
    """Return the bytes of a block over these layers before 0.27: tuples of one page of each size."""
    counts = [
        Counter(page for index, page in zip(group.layers, group.pages, strict=True) if index in layers)
        for group in groups
    ]
    windows = [group.cache.window_tokens for group in groups]
    sizes = {page for pages, window in zip(counts, windows, strict=True) if window is None for page in pages}
    return sum(sizes) * max(max(pages.values(), default=0) for pages in counts)


def _padded(buckets: Buckets) -> Buckets:
    """Return the windows with pages that are as large as the next page of the whole context."""
    wholes = sorted({page for key, sizes in buckets.items() if key[0] is None for page in sizes})
    padded: Buckets = {}
    for key, sizes in buckets.items():
        padded[key] = {}
        for page, layers in sizes.items():
            padded[key][next((whole for whole in wholes if whole >= page), page)] = layers
    return padded


def _is_even(sizes: Mapping[int, Sequence[int]]) -> bool:
    return len({len(layers) for layers in sizes.values()}) == 1


def _least_padding(layers: Sequence[int], least: int) -> int:
    """Return the size of groups that wastes the least, and the largest of these (_approximate_gcd)."""
    return min(range(least, max(layers) + 1), key=lambda size: (sum(-one % size for one in layers), -size))


def _group(key: tuple[int | None, int], sizes: Mapping[int, Sequence[int]], start: int, count: int) -> CacheGroup:
    kept = sorted((index, page) for page, layers in sizes.items() for index in layers[start::count])
    return CacheGroup(
        layers=tuple(index for index, _ in kept),
        pages=tuple(page for _, page in kept),
        cache=LayerCache(token_bytes=0, window_tokens=key[0]),
        block_tokens=key[1],
    )
