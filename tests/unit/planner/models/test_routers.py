"""Routers of experts, which some of vLLM's classes create in float32."""

from dataclasses import replace

import pytest

from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.layer_weights import compute_layer


@pytest.mark.parametrize(
    ("model", "is_wide"),
    [("MiniMaxAI/MiniMax-M2.5", True), ("zai-org/GLM-4.5", True), ("Qwen/Qwen3-235B-A22B", False)],
)
def test_some_classes_create_routers_of_32_bits(model: str, is_wide: bool) -> None:
    architecture = find_model(model).architecture
    assert architecture.experts is not None
    narrow = replace(architecture, experts=replace(architecture.experts, has_wide_router=False))
    last = architecture.num_hidden_layers - 1
    more = compute_layer(architecture, last).replicated_bytes - compute_layer(narrow, last).replicated_bytes
    assert more == (2 * architecture.hidden_size * architecture.experts.count if is_wide else 0)
