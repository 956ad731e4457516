from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B, QWEN_8B, QWEN_235B, SCOUT, SCOUT_W4A16
from vllm_eks.planner.engine.engine_flags import EngineFlags
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.engine.speculation import Speculation
from vllm_eks.planner.engine.validity import Refusal, rule_refusals
from vllm_eks.planner.hardware.instances import InstanceType, find_instance
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.quantization import Quantization

FP8_BLOCK = Quantization(method="fp8", weight_bits=8, block=(128, 128))
AWQ = Quantization(method="auto_awq", weight_bits=4, group_size=128, is_float=False)


def asked(
    model: str | Architecture,
    *,
    tp: int = 1,
    pp: int = 1,
    on: str | InstanceType = "g5.48xlarge",
    options: ServingOptions | None = None,
) -> tuple[Refusal, ...]:
    architecture = find_model(model).architecture if isinstance(model, str) else model
    instance = find_instance(on) if isinstance(on, str) else on
    resolved = resolve(options or ServingOptions(), instance, context_limit_tokens=8192)
    return rule_refusals(architecture, instance, resolved, tensor_parallel_size=tp, pipeline_parallel_size=pp)


def changed(model: str, **fields: object) -> Architecture:
    return replace(find_model(model).architecture, **fields)


@pytest.mark.parametrize("tp", [1, 2, 4, 8])
def test_powers_of_two_that_divide_everything_are_allowed(tp: int) -> None:
    assert asked(LLAMA_8B, tp=tp) == ()


@pytest.mark.parametrize("tp", [3, 7])
def test_32_heads_are_never_split_over_3_or_7(tp: int) -> None:
    first = asked(LLAMA_8B, tp=tp)[0]
    assert first == Refusal(code="heads_not_divisible", message=f"32 attention heads cannot be split over TP={tp}")


def test_kv_heads_must_divide_or_be_replicated() -> None:
    ten = changed(LLAMA_8B, num_attention_heads=40, num_key_value_heads=10)
    assert [r.message for r in asked(ten, tp=4)] == ["10 KV heads cannot be split or replicated evenly over TP=4"]
    assert asked(ten, tp=2) == ()
    assert asked(QWEN_235B, tp=8) == (), "4 KV heads are replicated to 8"
    three = changed(LLAMA_8B, num_attention_heads=24, num_key_value_heads=3)
    assert [r.code for r in asked(three, tp=8)] == ["kv_heads_not_divisible"]


def test_the_vision_tower_s_heads_must_divide_too() -> None:
    scout = find_model(SCOUT).architecture
    assert scout.vision is not None
    twelve = replace(scout, vision=replace(scout.vision, num_attention_heads=12))
    assert [r.message for r in asked(twelve, tp=8)] == ["12 vision attention heads cannot be split over TP=8"]


@pytest.mark.parametrize(
    ("model", "flags", "refused"),
    [
        (SCOUT, EngineFlags(), True),
        (SCOUT, EngineFlags(language_model_only=True), False),
        (SCOUT, EngineFlags(whole_encoder=True), False),
        ("google/gemma-3-27b-it", EngineFlags(whole_encoder=True), True),
    ],
)
def test_a_tower_that_no_rank_splits_need_not_divide(model: str, flags: EngineFlags, refused: bool) -> None:
    architecture = find_model(model).architecture
    assert architecture.vision is not None
    odd = replace(architecture, vision=replace(architecture.vision, num_attention_heads=7))
    found = asked(odd, tp=4, options=ServingOptions(flags=flags))
    assert bool(found) is refused


def test_a_drafter_that_is_never_scheduled_ahead_excludes_async_scheduling() -> None:
    ngram = Speculation(method="ngram", tokens=3)
    options = ServingOptions(flags=EngineFlags(speculation=ngram, async_scheduling=True))
    assert [r.message for r in asked(LLAMA_8B, options=options)] == [
        "--async-scheduling does not go with the method ngram of --speculative-config: remove one of the two"
    ]
    assert asked(LLAMA_8B, options=ServingOptions(flags=EngineFlags(speculation=ngram))) == ()


def test_qwen_moe_accepts_no_more_ranks_than_experts() -> None:
    qwen = find_model(QWEN_235B).architecture
    assert qwen.experts is not None
    few = replace(qwen, experts=replace(qwen.experts, count=4))
    assert [r.message for r in asked(few, tp=8)] == ["TP=8 is more than the 4 experts"]


@pytest.mark.parametrize(
    ("fields", "tp", "message"),
    [
        (
            {"vocab_size": 152064, "num_attention_heads": 28, "num_key_value_heads": 7, "intermediate_size": 14 * 128},
            7,
            "padded vocabulary 152064 cannot be split over TP=7",
        ),
        ({"intermediate_size": 14340}, 8, "intermediate size 14340 cannot be split over TP=8"),
    ],
)
def test_every_column_and_row_parallel_size_must_divide(fields: dict[str, object], tp: int, message: str) -> None:
    assert asked(changed(LLAMA_8B, **fields), tp=tp) == (Refusal(code="shard_not_divisible", message=message),)


def test_a_vocabulary_is_padded_to_64_before_it_is_split() -> None:
    assert asked(changed(LLAMA_8B, vocab_size=128_250), tp=8) == ()


def test_tensor_parallel_stays_inside_a_node() -> None:
    assert [r.code for r in asked(SCOUT, tp=16)] == ["not_enough_gpus", "heads_not_divisible"]
    assert asked(QWEN_8B, tp=8, on="g5.12xlarge")[0].message == (
        "TP=8 needs 8 GPUs in one node, and g5.12xlarge has 4: use pipeline parallelism across nodes"
    )


def test_expert_parallel_frees_the_expert_size_and_is_refused_without_experts() -> None:
    odd = find_model(QWEN_235B).architecture
    assert odd.experts is not None
    odd = replace(odd, experts=replace(odd.experts, intermediate_size=1540))
    assert [r.message for r in asked(odd, tp=8)] == ["expert intermediate size 1540 cannot be split over TP=8"]
    assert asked(odd, tp=8, options=ServingOptions(enable_expert_parallel=True)) == ()
    assert asked(LLAMA_8B, options=ServingOptions(enable_expert_parallel=True))[0].message == (
        "--enable-expert-parallel: the model has no experts"
    )


def test_a_stage_needs_a_layer_and_several_nodes_need_the_native_start() -> None:
    assert asked(LLAMA_8B, pp=33)[0] == Refusal(code="too_few_layers", message="32 layers cannot fill PP=33 stages")
    old = ServingOptions(vllm_version="0.10.2")
    assert asked(LLAMA_8B, tp=8, pp=2, options=old)[0].code == "pipeline_unsupported"
    assert asked(LLAMA_8B, tp=4, pp=2, options=old) == (), "two stages on one node need none"
    assert asked(LLAMA_8B, pp=1, options=old) == ()


def test_each_stage_of_nemotron_h_needs_experts() -> None:
    sparse = {"name": "NemotronHForCausalLM", "moe_layers": frozenset({1})}
    assert asked(changed(QWEN_235B, **sparse), pp=2) == (
        Refusal(code="too_few_layers", message="each of PP=2 stages needs experts, and 1 layers have them"),
    )
    assert asked(changed(QWEN_235B, **sparse), pp=1) == ()
    late = {"name": "Glm4MoeForCausalLM", "moe_layers": frozenset(range(60, 94))}
    assert [r.code for r in asked(changed(QWEN_235B, **late), pp=2)] == ["too_few_layers"], "the first stage has none"
    assert asked(changed(LLAMA_8B, name="NemotronHForCausalLM"), pp=2) == (), "a dense one has none"


def test_a_class_without_pipeline_parallelism_is_refused_with_a_reason() -> None:
    refused = asked(changed(LLAMA_8B, without_pipeline="the class has none"), pp=2)
    assert refused == (Refusal(code="pipeline_unsupported", message="the class has none"),)


@pytest.mark.parametrize(("version", "refused"), [("0.16.0", 0), ("0.17.0", 1), ("0.29.0", 1), ("0.30.0", 0)])
@pytest.mark.parametrize("model", ["Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-30B-A3B-Instruct"])
def test_some_releases_start_no_pipeline_of_qwen3_vl(model: str, version: str, refused: int) -> None:
    options = ServingOptions(vllm_version=version)
    assert [r.code for r in asked(model, pp=2, options=options)] == ["pipeline_unsupported"] * refused
    assert asked(model, options=options) == ()


def test_the_refusal_of_a_qwen3_vl_pipeline_names_the_release_that_starts_it() -> None:
    (refusal,) = asked("Qwen/Qwen3-VL-8B-Instruct", pp=2, options=ServingOptions(vllm_version="0.27.0"))
    assert refusal.message == (
        "Qwen3VLForConditionalGeneration with PP=2 does not start in vLLM 0.27.0 (vllm#43271): use 0.30.0 or later, "
        "or PP=1"
    )


@pytest.mark.parametrize(
    ("version", "on", "refused"),
    [("0.21.0", "g6e.48xlarge", True), ("0.29.0", "g6e.48xlarge", False), ("0.33.0", "g5.48xlarge", True)],
)
def test_fp8_block_experts_need_whole_blocks_or_kernels_that_refine_them(version: str, on: str, refused: bool) -> None:
    model = changed(QWEN_235B, quantization=FP8_BLOCK)
    found = asked(model, tp=8, on=on, options=ServingOptions(vllm_version=version))
    assert [r.code for r in found] == (["shard_not_divisible"] if refused else [])
    assert asked(model, tp=4, on=on, options=ServingOptions(vllm_version=version)) == ()


def test_a_quantization_group_must_divide_the_shard() -> None:
    qwen_72b = changed(LLAMA_8B, num_attention_heads=64, head_dim=128, intermediate_size=29568, quantization=AWQ)
    assert [r.message for r in asked(qwen_72b, tp=4)] == [
        "intermediate size 29568 over TP=4 gives 7392 per rank, which is not a multiple of 128 "
        "(group size 128 of the 4-bit weights)"
    ]
    assert asked(SCOUT_W4A16, tp=8) == ()
    fine_for_the_output_tile = changed(LLAMA_8B, intermediate_size=8 * 192, quantization=AWQ)
    assert [r.code for r in asked(fine_for_the_output_tile, tp=8)] == ["shard_not_divisible"]


@pytest.mark.parametrize(
    ("model", "options", "code"),
    [
        (find_model(SCOUT_W4A16).architecture, ServingOptions(vllm_version="0.11.2"), "quantization_unsupported"),
        (changed(LLAMA_8B, quantization=FP8_BLOCK), ServingOptions(vllm_version="0.13.0"), "quantization_unsupported"),
        (find_model(LLAMA_8B).architecture, ServingOptions(kv_cache_dtype="fp8"), "dtype_unsupported"),
    ],
)
def test_a_t4_does_not_run_every_format(model: Architecture, options: ServingOptions, code: str) -> None:
    assert [r.code for r in asked(model, on="g4dn.12xlarge", options=options)] == [code]
    assert asked(model, on="g5.12xlarge", options=options) == ()


def test_a_gpu_older_than_volta_is_refused() -> None:
    old = InstanceType(type="x", gpu="P100", gpus=1, gpu_memory_gib=16, compute_capability="6.0")
    assert asked(LLAMA_8B, on=old)[0].message == "vLLM does not run on P100 (compute capability 6.0)"
