"""Which layers of sparse attention have an indexer of their own."""

from dataclasses import replace
from typing import Any

import pytest

from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.kv_cache import cache_layout
from vllm_eks.planner.models.indexer import has_indexer
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.mixers import Latent


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"index_topk_freq": 4}, [0, 1, 5]),
        ({"index_topk_freq": 4, "index_skip_topk_offset": 3}, [0, 1, 2, 6]),
        ({"index_topk_freq": 4, "index_topk_pattern": "FSSSFSS"}, [0, 4, 7]),
        ({"indexer_types": ["full", "shared", "shared", "full"]}, [0, 3, 4, 5, 6, 7]),
    ],
)
def test_layers_without_an_indexer_share_the_indices_of_an_earlier_layer(text: dict[str, Any], own: list[int]) -> None:
    assert [index for index in range(8) if has_indexer(text, index)] == own


def test_shared_indexers_keep_no_cache_as_glm_5_3_logged() -> None:
    model = find_model("zai-org/GLM-5-FP8").architecture
    first = model.attention[0]
    assert isinstance(first, Latent)
    shared = replace(first, index_heads=0, index_head_dim=0)
    layers = tuple(first if has_indexer({"index_topk_freq": 4}, index) else shared for index in range(78))
    options = resolve(
        ServingOptions(vllm_version="0.30.0", kv_cache_dtype="fp8"),
        find_instance("p6-b200.48xlarge"),
        context_limit_tokens=131072,
    )
    found = cache_layout(replace(model, attention=layers), 100, options, tensor_parallel_size=4)
    logged = 47_703  # row N67: 0.30, B200, TP 4, rounded there
    assert found.token_bytes(range(78)) == 78 * 576 + 21 * 132 == pytest.approx(logged, abs=5)
    assert len(found.groups) == 1
    older = cache_layout(
        replace(model, attention=layers), 100, replace(options, version=(0, 23, 0)), tensor_parallel_size=4
    )
    assert older.token_bytes(range(78)) == 78 * (576 + 132), "each layer had an indexer before 0.24"
