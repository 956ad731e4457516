"""Weights and caches that few classes of vLLM have: parts that are whole, staged, shared, or of an encoder."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.engine.validity import rule_refusals
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.kv_cache import cache_layout
from vllm_eks.planner.memory.rotary import rotary_term
from vllm_eks.planner.memory.stages import build_layout
from vllm_eks.planner.models.architecture import Vision
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.stage_layers import stage_layers
from vllm_eks.planner.search.model_folder import read_model_folder

H100 = find_instance("p5.48xlarge")
TEXT = {
    "architectures": ["NovelForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 8,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}
SMALL_TOWER = {
    "depth": 1,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 4,
    "num_position_embeddings": 4,
    "out_hidden_size": 4096,
    "patch_size": 16,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
TOWER = Vision(
    kind="fields",
    parameters=1_000_000_000,
    whole_parameters=100_000_000,
    hidden_size=3200,
    intermediate_size=12800,
    num_attention_heads=25,
    profile_patches=1024,
    profile_tokens=256,
    output_size=4096,
)


@pytest.fixture
def model(tmp_path: Path) -> ModelFacts:
    (tmp_path / "config.json").write_text(json.dumps(TEXT))
    return read_model_folder(tmp_path)


def options() -> ResolvedOptions:
    return resolve(ServingOptions(max_num_batched_tokens=2048), H100, context_limit_tokens=8192)


def held(model: ModelFacts, tp: int, pp: int = 1, **changes: Any) -> list[float]:
    """Return the bytes of each stage with a changed architecture."""
    facts = replace(model, architecture=replace(model.architecture, **changes))
    layout = build_layout(facts, H100, options(), tensor_parallel_size=tp, pipeline_parallel_size=pp)
    return [stage.weights.size_bytes for stage in layout.stages]


@pytest.mark.parametrize(("tp", "whole"), [(1, 1_000_000_000), (5, 280_000_000), (4, 100e6 + 500e6 + 400e6 / 4)])
def test_attention_whose_heads_tp_does_not_divide_is_on_every_rank(model: ModelFacts, tp: int, whole: float) -> None:
    vision = replace(TOWER, attention_parameters=500_000_000)
    (with_tower,), (without,) = held(model, tp, vision=vision), held(model, tp)
    assert with_tower - without == pytest.approx(2 * whole)


def test_such_a_tower_is_not_refused(model: ModelFacts) -> None:
    def refused(vision: Vision) -> list[str]:
        one = replace(model.architecture, vision=vision)
        return [
            r.message for r in rule_refusals(one, H100, options(), tensor_parallel_size=8, pipeline_parallel_size=1)
        ]

    assert refused(TOWER) == ["25 vision attention heads cannot be split over TP=8"]
    assert refused(replace(TOWER, attention_parameters=500_000_000)) == []


def test_a_staged_tower_is_divided_over_the_stages(model: ModelFacts) -> None:
    every, staged = (held(model, 1, 2, vision=replace(TOWER, is_staged=value)) for value in (False, True))
    assert [one - other for one, other in zip(every, staged, strict=True)] == [1e9, 1e9]


def test_a_whole_embedding_is_on_every_rank(model: ModelFacts) -> None:
    (split,), (whole,) = held(model, 4), held(model, 4, embedding_is_whole=True)
    assert whole - split == pytest.approx(3 / 4 * 2 * 128256 * 4096)


def test_layers_that_share_experts_hold_each_set_once_on_a_stage(tmp_path: Path) -> None:
    mixture = {"num_experts": 64, "moe_intermediate_size": 1024, "num_blocks": 4, "vision_config": SMALL_TOWER}
    (tmp_path / "config.json").write_text(
        json.dumps({**TEXT, **mixture, "architectures": ["InternS2MobiusForConditionalGeneration"]})
    )
    facts = read_model_folder(tmp_path)
    experts = 2 * 64 * 3 * 4096 * 1024
    assert sum(layer.expert_bytes for layer in facts.parts.layers) == 4 * experts
    (one,), (first, _) = held(facts, 1), held(facts, 1, 2)
    layers = (one - 4 * experts - 2 * 2 * 128256 * 4096) / 2
    assert first == pytest.approx(layers + 4 * experts + 2 * 128256 * 4096, rel=1e-3)


def test_layers_that_stay_together_are_counted_together() -> None:
    assert stage_layers(56, 3, 2) == (18, 20, 18)
    assert stage_layers(56, 3) == (19, 19, 18)


def test_a_table_of_each_layer_is_counted_for_each_layer(model: ModelFacts) -> None:
    (table,) = model.architecture.rotary_tables
    one = replace(model.architecture, rotary_tables=(replace(table, is_of_each_layer=True),))
    once, often = (rotary_term(each, options(), 90, layers=range(3)) for each in (model.architecture, one))
    assert (once.size_bytes, often.size_bytes) == (8192 * 128 * 2, 3 * 8192 * 128 * 2)
    assert often.rule == "8,192 x 128 x 2 B x 3 layers: all positions of the model, on each GPU"


def test_cross_attention_has_a_cache_for_one_batch_of_the_encoder(model: ModelFacts) -> None:
    # vLLM 0.32 gives Whisper two groups, and a request blocks for its tokens and for max_num_batched_tokens.
    crossed = tuple(replace(one, has_cross=True) for one in model.architecture.attention)
    one = replace(model.architecture, attention=crossed)
    layout = cache_layout(one, 90, options(), tensor_parallel_size=1)
    assert [(group.cache.is_cross, len(group.layers)) for group in layout.groups] == [(False, 8), (True, 8)]
    assert layout.blocks_per_request(448, options()) == 448 // 16 + 2048 // 16
