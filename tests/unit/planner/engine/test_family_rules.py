"""Rules that only some families, formats or versions have, and what a node itself must hold."""

from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_8B, SCOUT, codes, planned
from tests.unit.planner.engine.test_validity import FP8_BLOCK, asked, changed
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import InstanceType, find_instance
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.quantization import Quantization
from vllm_eks.planner.models.vllm_classes import first_release, last_release
from vllm_eks.planner.search.fit import check_version, host_memory_bytes
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.units import gib
from vllm_eks.planner.vllm_version import OLDEST, Version

R1 = "deepseek-ai/DeepSeek-R1"
NEXT = "Qwen/Qwen3-Next-80B-A3B-Instruct"
GPT_OSS = "openai/gpt-oss-120b"


def test_latent_attention_has_no_kv_heads_to_divide_and_its_own_output_size() -> None:
    assert asked(R1, tp=8, on="p5en.48xlarge") == ()
    odd = changed(R1, num_key_value_heads=3)
    assert asked(odd, tp=8, on="p5en.48xlarge") == ()
    assert odd.latent is not None
    halves = replace(odd, attention=(replace(odd.latent, v_head_dim=12),) * 61)
    assert [r.message for r in asked(halves, tp=8, on="p5en.48xlarge")] == [
        "attention output size 1536 over TP=8 gives 192 per rank, which is not a multiple of the FP8 block 128"
    ]


def test_heads_of_linear_attention_must_divide_too() -> None:
    assert asked(NEXT, tp=8, on="p5.48xlarge") == ()
    model = find_model(NEXT).architecture
    assert model.linear is not None
    odd = replace(model, attention=(replace(model.linear, key_heads=12, value_heads=20), *model.attention[1:]))
    assert [r.message for r in asked(odd, tp=8, on="p5.48xlarge")] == [
        "12 linear-attention key heads cannot be split over TP=8",
        "20 linear-attention value heads cannot be split over TP=8",
    ]


def test_mxfp4_accepts_any_expert_size_because_it_is_rounded_up_but_not_on_a_t4() -> None:
    assert asked(GPT_OSS, tp=8, on="p5.48xlarge") == ()
    odd = changed(GPT_OSS)
    assert odd.experts is not None
    odd = replace(odd, experts=replace(odd.experts, intermediate_size=2884))
    assert asked(odd, tp=8, on="p5.48xlarge") == ()
    assert [r.message for r in asked(GPT_OSS, on="g4dn.12xlarge")] == [
        "MXFP4 weights need bfloat16, which T4 (compute capability 7.5) lacks"
    ]


@pytest.mark.parametrize(("version", "refused"), [("0.27.1", False), ("0.28.0", True)])
def test_bitsandbytes_was_removed_in_0_28(version: str, refused: bool) -> None:
    model = changed(LLAMA_8B, quantization=Quantization(method="bitsandbytes", weight_bits=4, group_size=64))
    found = asked(model, options=ServingOptions(vllm_version=version))
    assert [r.message for r in found] == (["vLLM 0.28 removed bitsandbytes: use 0.27"] if refused else [])


@pytest.mark.parametrize(
    ("version", "refused"), [("0.18.0", True), ("0.18.1", True), ("0.19.0", False), ("0.20.0", True), ("0.20.1", False)]
)
def test_some_releases_do_not_run_stages_on_several_nodes(version: str, refused: bool) -> None:
    found = planned(SCOUT, "g5.48xlarge", vllm_version=version, tensor_parallel_size=8, pipeline_parallel_size=2)
    message = f"PP=2 across nodes does not work in vLLM {version} (vllm#37933, vllm#41864): use another release"
    assert (("engine_refuses", message) in [(r.code, r.message) for r in found.refusals]) is refused
    inside = planned(QWEN_8B, "g5.48xlarge", vllm_version=version, tensor_parallel_size=4, pipeline_parallel_size=2)
    assert inside.fits, "stages on one node run in all of them"
    free = planned(SCOUT, "g5.48xlarge", vllm_version=version)
    assert free.fits is not refused


@pytest.mark.parametrize(
    ("model", "ranks", "reason"),
    [
        (R1, 8, None),
        (R1, 3, "TP=8 is not a multiple of it"),
        (QWEN_8B, 2, "at TP=8 only 1 ranks hold the same KV heads"),
        ("Qwen/Qwen3-235B-A22B", 2, None),
        ("Qwen/Qwen3-235B-A22B", 4, "at TP=8 only 2 ranks hold the same KV heads"),
    ],
)
def test_decode_context_parallel_needs_ranks_that_hold_the_same_heads(
    model: str, ranks: int, reason: str | None
) -> None:
    found = asked(model, tp=8, on="p5en.48xlarge", options=ServingOptions(decode_context_parallel_size=ranks))
    assert [r.message for r in found] == ([f"--decode-context-parallel-size {ranks}: {reason}"] if reason else [])


def wide() -> InstanceType:
    return replace(find_instance("p5en.48xlarge"), gpus=16)


def test_decode_context_parallel_cannot_split_windows() -> None:
    few_heads = changed(GPT_OSS, num_key_value_heads=4)
    two = ServingOptions(decode_context_parallel_size=2)
    assert [r.message for r in asked(few_heads, tp=8, on="p5en.48xlarge", options=two)] == [
        "--decode-context-parallel-size 2: layers with a sliding window cannot be split"
    ]


def test_decode_context_parallel_divides_the_queries_of_a_kv_head_since_0_10_2() -> None:
    odd = changed("Qwen/Qwen3-235B-A22B", num_attention_heads=24, num_key_value_heads=2)
    four = ServingOptions(decode_context_parallel_size=4)
    assert asked(odd, tp=8, on="p5en.48xlarge", options=four) == ()
    two = ServingOptions(decode_context_parallel_size=2)
    odd_queries = changed("Qwen/Qwen3-235B-A22B", num_attention_heads=40, num_key_value_heads=8)
    assert [r.message for r in asked(odd_queries, tp=16, on=wide(), options=two)] == [
        "40 attention heads cannot be split over TP=16",
        "--decode-context-parallel-size 2: 5 queries per KV head cannot be split",
    ]
    early = ServingOptions(decode_context_parallel_size=8, vllm_version="0.10.1")
    assert [r.message for r in asked(R1, tp=8, on="p5en.48xlarge", options=early)] == [
        "--decode-context-parallel-size 8: needs vLLM 0.10.2 or later"
    ]


@pytest.mark.parametrize(("version", "refused"), [("0.13.0", True), ("0.14.0", False)])
def test_before_0_14_the_keys_of_a_rank_must_fill_whole_fp8_blocks(version: str, refused: bool) -> None:
    small_heads = changed(LLAMA_8B, head_dim=64, num_attention_heads=64, quantization=FP8_BLOCK)
    found = asked(small_heads, tp=8, on="p5.48xlarge", options=ServingOptions(vllm_version=version))
    assert [r.message for r in found] == (
        ["key size 512 over TP=8 gives 64 per rank, which is not a multiple of the FP8 block 128"] if refused else []
    )


@pytest.mark.parametrize(("version", "refused"), [("0.31.0", True), ("0.33.0", False)])
def test_from_0_33_4_bit_tiles_are_padded_but_the_group_must_still_divide(version: str, refused: bool) -> None:
    options = ServingOptions(vllm_version=version)
    groups_of_32 = Quantization(method="auto_gptq", weight_bits=4, group_size=32, is_float=False)
    model = changed(LLAMA_8B, intermediate_size=8 * 32 * 3, quantization=groups_of_32)
    assert bool(asked(model, tp=8, options=options)) is refused
    odd = changed(LLAMA_8B, intermediate_size=8 * 40, quantization=groups_of_32)
    assert [r.code for r in asked(odd, tp=8, options=options)] == ["shard_not_divisible"]


def test_a_version_without_the_architecture_is_an_invalid_input() -> None:
    with pytest.raises(WrongQuestion) as caught:
        planned("Qwen/Qwen3.5-27B", "p5.48xlarge", vllm_version="0.16.0")
    assert str(caught.value) == (
        "Qwen/Qwen3.5-27B: vLLM 0.16.0 does not support Qwen3_5ForConditionalGeneration: use 0.17.0 or later"
    )


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("KimiK3ForConditionalGeneration", (0, 27, 0), None),
        ("BambaForCausalLM", OLDEST, (0, 23, 0)),
        ("LlamaForCausalLM", OLDEST, None),
        ("NovelForCausalLM", OLDEST, None),
    ],
)
def test_the_registry_tells_the_releases_of_an_architecture(name: str, first: Version, last: Version | None) -> None:
    assert (first_release(name), last_release(name)) == (first, last)


def test_a_version_that_removed_the_architecture_is_an_invalid_input() -> None:
    facts = find_model(LLAMA_8B)
    bamba = replace(facts, id="bamba", architecture=replace(facts.architecture, name="BambaForCausalLM"))
    options = resolve(ServingOptions(vllm_version="0.23.2"), find_instance("p5.48xlarge"), context_limit_tokens=8192)
    check_version(bamba, options)
    with pytest.raises(WrongQuestion) as caught:
        check_version(bamba, replace(options, version=(0, 24, 0)))
    assert str(caught.value) == "bamba: vLLM 0.24.0 does not support BambaForCausalLM: use 0.23.0 or earlier"


@pytest.mark.parametrize(("version", "fits"), [("0.12.0", True), ("0.15.1", False), ("0.21.0", True)])
def test_in_some_versions_each_stage_needs_cache_for_all_layers(version: str, fits: bool) -> None:
    requested = {"tensor_parallel_size": 8, "pipeline_parallel_size": 2, "max_model_len": 131072}
    found = planned(
        LLAMA_70B, "g6.48xlarge", vllm_version=version, gpu_memory_utilization=0.69, max_num_seqs=256, **requested
    )
    assert (found.verdict == "fits") is fits
    if not fits:
        assert found.verdict == "likely_fits"
        assert found.doubts[0].code == "kv_cache_too_small"
        assert found.doubts[0].message.endswith(
            "vLLM 0.15.1 requires KV cache for all layers on each rank, 5.00 GiB, and 4.65 GiB are free: "
            "use 0.17 or later, which counts only the layers of the rank"
        )


def test_host_memory_must_suffice_while_every_worker_loads() -> None:
    model = find_model(SCOUT)
    layer = max(layer.total_bytes for layer in model.parts.layers)
    assert gib(host_memory_bytes(model, workers=8, cautious=True)) == pytest.approx(4 + 8 * (4 + gib(layer)))
    assert gib(host_memory_bytes(model, workers=8, cautious=False)) == pytest.approx(4 + 8 * (2.5 + gib(layer)))
    small = replace(find_instance("g6e.48xlarge"), memory_gib=56.0)
    found = try_layouts(model, small, ServingOptions())
    assert [(r.code, r.message) for r in found.refusals] == [
        ("host_too_small", "8 workers need 57 GiB of host memory while they load, and g6e.48xlarge has 56 GiB")
    ]
    doubtful = try_layouts(model, replace(small, memory_gib=64.0), ServingOptions())
    assert doubtful.verdict == "likely_fits"
    assert [(r.code, r.message) for r in doubtful.doubts] == [
        ("host_too_small", "8 workers may need 69 GiB of host memory while they load, and g6e.48xlarge has 64 GiB")
    ]
    assert try_layouts(model, replace(small, memory_gib=None), ServingOptions()).verdict == "fits"


def test_the_memory_of_a_layout_that_only_a_version_refuses_is_still_computed() -> None:
    sizes = {"tensor_parallel_size": 8, "pipeline_parallel_size": 2}
    found = planned(LLAMA_8B, "g5.48xlarge", vllm_version="0.10.2", **sizes)
    assert codes(found) == ["pipeline_unsupported"]
    assert found.kv_cache_tokens > 0
    assert planned(LLAMA_8B, tensor_parallel_size=7, pipeline_parallel_size=1).layout is None
