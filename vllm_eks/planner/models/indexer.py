"""Which layers of sparse latent attention have an indexer of their own. The others use the indices of an earlier one.

Source: models/deepseek_v2.py (index_topk_freq, index_topk_pattern, index_skip_topk_offset) in 0.24.0. Before it, each
layer has its own indexer.
GLM 5.2 and 5.3 have one in 21 of 78 layers: 47,703 bytes per token = 78 x 576 + 21 x 132 in a log of 0.30 (row N67).
"""

from collections.abc import Mapping
from typing import Any

from vllm_eks.json_values import list_or_empty
from vllm_eks.planner.models.counts import is_count

DEFAULT_OFFSET = 2
"""Layers before the first one that may use another's indices, plus one (index_skip_topk_offset)."""


def has_indexer(text: Mapping[str, Any], index: int) -> bool:
    """Return whether layer `index` of a decoder with an indexer has its own."""
    kinds = list_or_empty(text.get("indexer_types"))
    if index < len(kinds):
        return kinds[index] == "full"
    pattern: object = text.get("index_topk_pattern")
    if isinstance(pattern, str):
        return index >= len(pattern) or pattern[index] != "S"
    every: object = text.get("index_topk_freq")
    if not isinstance(every, int) or not is_count(every):
        return True
    offset: object = text.get("index_skip_topk_offset", DEFAULT_OFFSET)
    first = offset if isinstance(offset, int) else DEFAULT_OFFSET
    return max(index - first + 1, 0) % every == 0
