from dataclasses import replace

import pytest
from asking import LLAMA_8B, QWEN_8B, QWEN_235B, SCOUT, planned

from planner import memory
from planner.instances import find_instance
from planner.models import find_model
from planner.options import ServingOptions, resolve
from planner.stages import build_layout, expert_share, stage_layers
from planner.units import BYTES_PER_GIB, gib

A10G = find_instance("g5.48xlarge")


def resolved(instance: str = "g5.48xlarge", **wishes: object):
    options = ServingOptions(**wishes)  # pyright: ignore[reportArgumentType]
    return resolve(options, find_instance(instance), context_limit_tokens=131072)


@pytest.mark.parametrize(
    ("layers", "pp", "split"),
    [(126, 4, (31, 32, 32, 31)), (61, 2, (31, 30)), (94, 4, (23, 24, 24, 23)), (48, 2, (24, 24)), (7, 4, (2, 2, 2, 1))],
)
def test_layers_are_dealt_out_as_vllm_does(layers: int, pp: int, split: tuple[int, ...]) -> None:
    assert stage_layers(layers, pp) == split


def test_the_budget_is_a_share_of_what_the_driver_reports_rounded_up() -> None:
    assert gib(memory.budget_bytes(21.98, 0.9)) == pytest.approx(19.782)


@pytest.mark.parametrize(
    ("instance", "version", "tokens", "seqs", "utilization"),
    [
        ("g5.48xlarge", "0.19.1", 2048, 256, 0.90),
        ("g5.48xlarge", "0.21.0", 2048, 256, 0.92),
        ("p4de.24xlarge", "0.21.0", 2048, 256, 0.92),
        ("p5.48xlarge", "0.21.0", 8192, 1024, 0.92),
        ("p6-b200.48xlarge", "0.27.1", 8192, 1024, 0.92),
        ("p6-b200.48xlarge", "0.28.0", 16384, 1024, 0.92),
    ],
)
def test_defaults_follow_the_version_and_the_gpu(
    instance: str, version: str, tokens: int, seqs: int, utilization: float
) -> None:
    found = resolved(instance, vllm_version=version)
    assert (found.max_num_batched_tokens, found.max_num_seqs, found.gpu_memory_utilization) == (
        tokens,
        seqs,
        utilization,
    )


@pytest.mark.parametrize(
    ("model", "tp", "bytes_per_token"),
    [(LLAMA_8B, 1, 131072), (LLAMA_8B, 8, 16384), (QWEN_8B, 1, 147456), (QWEN_235B, 4, 48128), (QWEN_235B, 8, 48128)],
)
def test_kv_bytes_per_token_and_gpu_with_replication_beyond_the_kv_heads(
    model: str, tp: int, bytes_per_token: int
) -> None:
    architecture = find_model(model).architecture
    found = memory.kv_bytes_per_token(
        architecture, layers=architecture.num_hidden_layers, tensor_parallel_size=tp, kv_dtype_bytes=2
    )
    assert found == bytes_per_token


def test_an_fp8_cache_halves_the_bytes_of_a_token() -> None:
    assert resolved(kv_cache_dtype="fp8").kv_dtype_bytes == 1
    assert resolved().kv_dtype_bytes == 2


@pytest.mark.parametrize(("seqs", "sizes"), [(1, 2), (4, 4), (64, 19), (128, 35), (256, 51), (1024, 51)])
def test_captured_batch_sizes(seqs: int, sizes: int) -> None:
    assert memory.graph_capture_sizes(seqs) == sizes


def test_the_sampler_peak_is_39_bytes_a_logit_and_stands_on_the_last_stage_alone() -> None:
    model = find_model(LLAMA_8B).architecture
    assert gib(memory.sampler_bytes(model, resolved("p5.48xlarge"))) == pytest.approx(4.77, abs=0.01)
    first, last = (
        memory.activation_term(model, resolved(), tensor_parallel_size=8, is_first=not end, is_last=end)
        for end in (False, True)
    )
    assert (first.name, last.name) == ("activations (forward)", "activations (sampler)")


def test_the_vision_encoder_is_profiled_on_the_first_stage_unless_images_are_off() -> None:
    model = find_model(SCOUT).architecture
    many = resolved(max_num_batched_tokens=16384)
    off = resolved(max_num_batched_tokens=16384, limit_mm_per_prompt={"image": 0})
    one = resolved(max_num_batched_tokens=16384, limit_mm_per_prompt={"image": 1})
    names = [
        memory.activation_term(model, options, tensor_parallel_size=8, is_first=first, is_last=False).name
        for options, first in ((many, True), (many, False), (off, True))
    ]
    assert names == ["activations (encoder)", "activations (forward)", "activations (forward)"]
    assert model.vision is not None
    six, single = (memory.encoder_bytes(model.vision, o, tensor_parallel_size=8) for o in (many, one))
    assert six == 6 * single


def test_cuda_graphs_come_off_the_budget_from_0_20_and_stand_outside_before() -> None:
    old, new = (
        build_layout(
            find_model(LLAMA_8B), A10G, resolved(vllm_version=version),
            tensor_parallel_size=8, pipeline_parallel_size=1,
        ).tightest
        for version in ("0.19.1", "0.20.2")
    )  # fmt: skip
    graphs = memory.cuda_graph_term(resolved(), layers=32).size_bytes
    assert (old.outside_budget_bytes, new.outside_budget_bytes) == (graphs, 0)
    assert new.overhead_bytes - old.overhead_bytes == pytest.approx(graphs)
    assert memory.cuda_graph_term(resolved(enforce_eager=True), layers=32).size_bytes == 0


def test_embedding_and_vision_stand_first_the_head_last_and_each_weight_once() -> None:
    model = find_model(SCOUT)
    layout = build_layout(model, A10G, resolved(), tensor_parallel_size=8, pipeline_parallel_size=2)
    first, last = layout.stages
    parts = model.parts
    per_gpu = (parts.embedding_bytes + parts.vision_bytes - parts.head_bytes) / 8
    assert first.weights.size_bytes - last.weights.size_bytes == pytest.approx(per_gpu, rel=1e-4)
    replicated = 7 * sum(layer.replicated_bytes for layer in parts.layers) + 7 * parts.final_norm_bytes
    whole = 8 * (first.weights.size_bytes + last.weights.size_bytes)
    assert whole == pytest.approx(parts.total_bytes + replicated, rel=1e-9)


def test_kv_weights_are_split_at_most_as_often_as_there_are_kv_heads() -> None:
    layer = find_model(QWEN_235B).parts.layers[0]
    four, eight = (
        layer.rank_bytes(tensor_parallel_size=tp, kv_heads=4, expert_share=0) - layer.replicated_bytes for tp in (4, 8)
    )
    assert four == pytest.approx((layer.query_output_bytes + layer.key_value_bytes) / 4)
    assert eight == pytest.approx(layer.query_output_bytes / 8 + layer.key_value_bytes / 4)


def test_the_tightest_stage_decides_and_its_four_parts_sum_to_the_budget() -> None:
    plan = planned(QWEN_235B)
    assert plan.layout is not None
    stage = plan.layout.tightest
    assert plan.layout.kv_cache_tokens == min(s.blocks for s in plan.layout.stages) * 16
    parts = stage.weights.size_bytes + stage.activations.size_bytes + stage.overhead_bytes + stage.kv_cache_bytes
    assert parts == pytest.approx(stage.budget_bytes)


def test_whole_blocks_only() -> None:
    plan = planned(LLAMA_8B)
    assert plan.layout is not None
    stage = plan.layout.tightest
    assert plan.kv_cache_tokens == int(stage.kv_cache_bytes // (16384 * 16)) * 16
    assert stage.total_bytes == 21.98 * BYTES_PER_GIB


def test_a_tied_embedding_is_loaded_again_on_the_last_stage() -> None:
    tied = replace(find_model(QWEN_8B).architecture, tie_word_embeddings=True)
    model = replace(find_model(QWEN_8B), architecture=tied)
    first, last = build_layout(model, A10G, resolved(), tensor_parallel_size=1, pipeline_parallel_size=2).stages
    assert model.parts.head_bytes == 0
    norm = model.parts.final_norm_bytes
    assert last.weights.size_bytes - first.weights.size_bytes == pytest.approx(norm)


def test_with_expert_parallel_the_fullest_rank_holds_whole_experts() -> None:
    together = resolved(enable_expert_parallel=True)
    assert expert_share(10, 4, together) == 3 / 10
    assert expert_share(10, 4, resolved()) == 1 / 4


def test_known_bytes_of_the_files_scale_every_stage() -> None:
    computed = find_model(LLAMA_8B)
    heavier = replace(computed, known_weights_bytes=2 * computed.weights_bytes, weights_source="index")
    one, two = (
        build_layout(model, A10G, resolved(), tensor_parallel_size=8, pipeline_parallel_size=1).tightest
        for model in (computed, heavier)
    )
    assert two.weights.size_bytes == pytest.approx(2 * one.weights.size_bytes, rel=1e-6)
