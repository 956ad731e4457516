"""Weights of one rank: their pipeline stage, and how they are split."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.plans import LLAMA_8B, QWEN_8B, QWEN_235B, SCOUT
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.engine.engine_flags import NO_FLAGS, EngineFlags
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.mxfp4 import expert_growth
from vllm_eks.planner.memory.rank_weights import expert_share
from vllm_eks.planner.memory.stages import build_layout
from vllm_eks.planner.models.known_models import LOCKED, find_model
from vllm_eks.planner.models.layer_weights import absorbed_bytes, compute_layer
from vllm_eks.planner.models.quantization import Quantization
from vllm_eks.planner.search.model_folder import read_model_folder
from vllm_eks.planner.vllm_version import Version

A10G = find_instance("g5.48xlarge")
H100 = find_instance("p5.48xlarge")


def resolved(**requested: Any) -> ResolvedOptions:
    return resolve(ServingOptions(**requested), A10G, context_limit_tokens=131072)


def test_the_embedding_is_on_the_first_stage_the_head_on_the_last_and_vision_on_every_stage() -> None:
    model = find_model(SCOUT)
    layout = build_layout(model, A10G, resolved(), tensor_parallel_size=8, pipeline_parallel_size=2)
    first, last = layout.stages
    parts = model.parts
    per_gpu = (parts.embedding_bytes - parts.head_bytes) / 8 - parts.final_norm_bytes
    assert first.weights.size_bytes - last.weights.size_bytes == pytest.approx(per_gpu, rel=1e-4)
    replicated = 7 * sum(layer.replicated_bytes for layer in parts.layers) + 7 * parts.final_norm_bytes
    vision = model.architecture.vision
    assert vision is not None
    replicated += 2 * 7 * 2 * vision.whole_parameters
    whole = 8 * (first.weights.size_bytes + last.weights.size_bytes)
    assert whole == pytest.approx(parts.total_bytes + replicated + parts.vision_bytes, rel=1e-9)


def test_a_tower_s_patches_positions_and_some_projectors_are_not_split() -> None:
    for model, whole in (
        # Patch embedding with its bias, 4,096 positions, and the projector to 2,560 values (siglip.py, gemma3_mm.py).
        ("google/gemma-3-4b-it", 3 * 14**2 * 1152 + 1152 + 4096 * 1152 + 1152 * 2560 + 1152),
        ("Qwen/Qwen3-VL-8B-Instruct", 2 * 3 * 16**2 * 1152 + 1152 + 2304 * 1152),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", 3 * 14**2 * 1024 + 4 * 1024**2),
    ):
        vision = find_model(model).architecture.vision
        assert vision is not None
        assert vision.whole_parameters == whole


@pytest.mark.parametrize(
    ("model", "whole"),
    [(SCOUT, True), ("Qwen/Qwen3-VL-8B-Instruct", True), ("google/gemma-3-27b-it", False)],
)
def test_a_whole_encoder_is_on_each_rank_of_classes_that_have_it_but_llama_4_splits_its_projector(
    model: str, whole: bool
) -> None:
    facts = find_model(model)
    sizes = [
        build_layout(facts, A10G, resolved(flags=flags), tensor_parallel_size=4, pipeline_parallel_size=1)
        for flags in (NO_FLAGS, EngineFlags(whole_encoder=True))
    ]
    split, data = (layout.stages[0].weights.size_bytes for layout in sizes)
    vision = facts.architecture.vision
    assert vision is not None
    moved = vision.parameters - vision.whole_parameters - vision.projector_parameters
    assert data - split == pytest.approx(2 * moved * 3 / 4 if whole else 0, rel=1e-6)
    assert vision.projector_parameters == (4096 * 5120 if model == SCOUT else 0)


def test_repositories_in_mistral_s_own_form_have_a_tower_that_is_not_split_since_0_12(tmp_path: Path) -> None:
    config = read_json_object(LOCKED / "mistralai--Mistral-Small-3.2-24B-Instruct-2506.json")["config"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    plain = read_model_folder(tmp_path)
    (tmp_path / "params.json").write_text("{}")
    own = read_model_folder(tmp_path)
    tower = plain.parts.vision_bytes
    vision = own.architecture.vision
    assert vision is not None
    for version, more in (("0.11.2", 0.0), ("0.12.0", 7 / 8 * (tower - 2 * vision.whole_parameters))):
        sizes = [
            build_layout(model, A10G, resolved(vllm_version=version), tensor_parallel_size=8, pipeline_parallel_size=1)
            for model in (plain, own)
        ]
        difference = sizes[1].tightest.weights.size_bytes - sizes[0].tightest.weights.size_bytes
        assert difference == pytest.approx(more)


def test_projections_of_one_layer_may_have_their_own_formats() -> None:
    model = find_model(QWEN_8B).architecture
    fp8 = Quantization(
        method="fp8", weight_bits=8, ignored=("model.layers.0.mlp.down_proj", "layers.1.self_attn.o_proj")
    )
    first, second, third = (compute_layer(replace(model, quantization=fp8), index) for index in range(3))
    assert first.mlp_bytes / third.mlp_bytes == pytest.approx((1 + 1 + 2) / 3)
    assert second.query_output_bytes / third.query_output_bytes == pytest.approx((1 + 2) / 2)


def test_some_classes_create_embedding_and_head_on_every_stage() -> None:
    model = find_model(QWEN_235B)
    assert (model.architecture.embedding_everywhere, model.architecture.head_everywhere) == (True, True)
    first, middle, *_ = build_layout(model, A10G, resolved(), tensor_parallel_size=8, pipeline_parallel_size=4).stages
    assert (first.layers, middle.layers) == (23, 24)
    layer = model.parts.layers[0].rank_bytes(tensor_parallel_size=8, kv_heads=4, expert_share=1 / 8)
    assert middle.weights.size_bytes - first.weights.size_bytes == pytest.approx(layer)


def test_kv_weights_are_split_at_most_as_often_as_there_are_kv_heads() -> None:
    layer = find_model(QWEN_235B).parts.layers[0]
    four, eight = (
        layer.rank_bytes(tensor_parallel_size=tp, kv_heads=4, expert_share=0) - layer.replicated_bytes for tp in (4, 8)
    )
    assert four == pytest.approx((layer.query_output_bytes + layer.key_value_bytes) / 4)
    assert eight == pytest.approx(layer.query_output_bytes / 8 + layer.key_value_bytes / 4)


def test_a_tied_embedding_is_loaded_again_on_the_last_stage() -> None:
    tied = replace(find_model(QWEN_8B).architecture, tie_word_embeddings=True)
    model = replace(find_model(QWEN_8B), architecture=tied)
    first, last = build_layout(model, A10G, resolved(), tensor_parallel_size=1, pipeline_parallel_size=2).stages
    assert model.parts.head_bytes == 0
    norm = model.parts.final_norm_bytes
    assert last.weights.size_bytes - first.weights.size_bytes == pytest.approx(norm)


def test_with_expert_parallel_the_fullest_rank_holds_complete_experts() -> None:
    together = resolved(enable_expert_parallel=True)
    assert expert_share(10, 4, together) == 3 / 10
    assert expert_share(10, 4, resolved()) == 1 / 4


def test_a_known_file_size_scales_every_stage() -> None:
    computed = find_model(LLAMA_8B)
    heavier = replace(computed, known_weights_bytes=2 * computed.weights_bytes, weights_source="index")
    one, two = (
        build_layout(model, A10G, resolved(), tensor_parallel_size=8, pipeline_parallel_size=1).tightest
        for model in (computed, heavier)
    )
    assert two.weights.size_bytes == pytest.approx(2 * one.weights.size_bytes, rel=1e-6)


def test_up_projections_of_latent_attention_are_kept_twice_only_if_quantized() -> None:
    twice = absorbed_bytes(find_model("deepseek-ai/DeepSeek-R1").architecture)
    assert twice == 512 * 128 * (128 + 128) * 2
    for plain in ("deepseek-ai/DeepSeek-V2-Lite", "moonshotai/Kimi-K2-Thinking", LLAMA_8B):
        assert absorbed_bytes(find_model(plain).architecture) == 0.0
    model = find_model("deepseek-ai/DeepSeek-R1")
    parts = model.parts
    whole = build_layout(model, A10G, resolved(), tensor_parallel_size=1, pipeline_parallel_size=1).tightest
    assert whole.weights.size_bytes == pytest.approx(parts.total_bytes + 61 * twice)


@pytest.mark.parametrize(
    ("sm", "shards", "version", "growth"),
    [
        (80, 1, (0, 26, 0), 2944 * 3072),
        (90, 4, (0, 11, 2), 4 * 768 * 3072),
        (120, 1, (0, 26, 0), 2944 * 3072),
        (100, 1, (0, 26, 0), 3072 * 3072),
        (100, 8, (0, 26, 0), 8 * 512 * 3072),
        (100, 1, (0, 27, 0), 2944 * 3072),
    ],
)
def test_mxfp4_experts_are_padded_for_the_kernels_of_the_gpu(
    sm: int, shards: int, version: Version, growth: int
) -> None:
    model = find_model("openai/gpt-oss-120b").architecture
    assert expert_growth(model, sm, shards, version) == pytest.approx(growth / 2880**2)
    assert expert_growth(find_model(QWEN_235B).architecture, sm, shards, version) == 1.0


def test_mxfp4_experts_on_hopper_have_the_size_of_triton_s_layout() -> None:
    model = find_model("openai/gpt-oss-120b")
    # One expert: 5760 and 2880 rows of 2880 inputs. Values, scales twice (once in steps of 256 rows), 32-bit biases.
    old = 8640 * 1440 + 8640 * 90 + (5888 + 3072) * 90 + 8640 * 4
    padded = old + 8640 * (1472 - 1440)
    file = 8640 * 1440 + 8640 * 90 + 8640 * 2
    assert expert_growth(model.architecture, 90, 1, (0, 14, 1)) == pytest.approx(old / file)
    assert expert_growth(model.architecture, 90, 1, (0, 21, 0)) == pytest.approx(padded / file)
    # At TP 8 a shard of 360 is rounded up to 384, and its 192 bytes need no padding.
    shard = 768 * 1472 + 2880 * 192 + (768 * 90 + 2880 * 12) + (768 * 90 + 3072 * 12) + 3648 * 4
    assert expert_growth(model.architecture, 90, 8, (0, 21, 0)) == pytest.approx(8 * shard / file)
    # Runs S35, S33 and S32.
    for version, tp, logged in (("0.14.1", 1, 64.38), ("0.10.2", 1, 65.97), ("0.10.2", 4, 17.22)):
        layout = build_layout(
            model, H100, resolved(vllm_version=version), tensor_parallel_size=tp, pipeline_parallel_size=1
        )
        assert layout.tightest.loaded_bytes / 2**30 == pytest.approx(logged, abs=0.1)


@pytest.mark.parametrize(("version", "tables"), [("0.27.0", 6_195_200), ("0.28.0", 0)])
def test_older_towers_of_pixtral_have_tables_of_positions(version: str, tables: int) -> None:
    model = find_model("mistralai/Mistral-Small-3.2-24B-Instruct-2506")
    sizes = [
        build_layout(model, A10G, resolved(vllm_version=one), tensor_parallel_size=8, pipeline_parallel_size=1)
        for one in (version, "0.32.0")
    ]
    assert sizes[0].stages[0].weights.size_bytes - sizes[1].stages[0].weights.size_bytes == pytest.approx(tables)
