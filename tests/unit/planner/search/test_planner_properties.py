"""What must hold for any model of a known family on any machine: never an exception, and monotone where it must be."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from vllm_eks.cli.views.plan_json import plan_json
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan

# What each family needs beside the common fields.
FAMILY_FIELDS: dict[str, dict[str, object]] = {
    "LlamaForCausalLM": {},
    "Qwen3ForCausalLM": {},
    "MistralForCausalLM": {"sliding_window": 1024},
    "Gemma2ForCausalLM": {"sliding_window": 512},
    "Gemma3ForCausalLM": {"sliding_window": 512},
    "MixtralForCausalLM": {"num_local_experts": 8, "num_experts_per_tok": 2},
    "GptOssForCausalLM": {
        "num_local_experts": 32,
        "num_experts_per_tok": 4,
        "sliding_window": 128,
        "quantization_config": {"quant_method": "mxfp4"},
    },
    "Llama4ForCausalLM": {"num_local_experts": 16, "attention_chunk_size": 1024, "intermediate_size_mlp": 4096},
    "Qwen3NextForCausalLM": {
        "num_experts": 64,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 32,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
    },
    "DeepseekV3ForCausalLM": {
        "n_routed_experts": 64,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 1024,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        "q_lora_rank": 512,
        "kv_lora_rank": 256,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "num_nextn_predict_layers": 1,
        "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    },
}


@st.composite
def models(draw: st.DrawFn) -> ModelFacts:
    kv_heads = draw(st.sampled_from([1, 2, 4, 5, 8, 10]))
    family = draw(st.sampled_from(sorted(FAMILY_FIELDS)))
    config = {
        "architectures": [family],
        "hidden_size": draw(st.sampled_from([1024, 2880, 4096, 8192])),
        "num_hidden_layers": draw(st.integers(1, 130)),
        "num_attention_heads": kv_heads * draw(st.integers(1, 8)),
        "num_key_value_heads": kv_heads,
        "head_dim": draw(st.sampled_from([64, 128, 256])),
        "vocab_size": draw(st.integers(1000, 260_000)),
        "intermediate_size": draw(st.sampled_from([2880, 8192, 14336, 29568])),
        "max_position_embeddings": draw(st.sampled_from([2048, 32768, 1_048_576])),
        "tie_word_embeddings": draw(st.booleans()),
        **FAMILY_FIELDS[family],
    }
    return ModelFacts(
        id="any/model",
        revision=None,
        gated=False,
        architecture=parse_config(config, where="any/model"),
        weights_source="computed",
        known_weights_bytes=None,
    )


@st.composite
def machines(draw: st.DrawFn) -> InstanceType:
    return InstanceType(
        type="any.type",
        gpu="any",
        gpus=draw(st.integers(1, 16)),
        gpu_memory_gib=draw(st.floats(1, 300)),
        compute_capability=draw(st.sampled_from(["7.5", "8.6", "9.0", "10.0"])),
        usd_per_hour=1.0,
    )


requested = st.builds(
    ServingOptions,
    tensor_parallel_size=st.none() | st.integers(1, 32),
    pipeline_parallel_size=st.none() | st.integers(1, 200),
    max_model_len=st.none() | st.integers(1, 2_000_000),
    gpu_memory_utilization=st.none() | st.floats(0.05, 1),
    max_num_seqs=st.none() | st.integers(1, 2048),
    enforce_eager=st.booleans(),
    enable_expert_parallel=st.booleans(),
    kv_cache_dtype=st.sampled_from(["auto", "fp8"]),
    vllm_version=st.sampled_from(["0.10.2", "0.11.1", "0.15.1", "0.19.1", "0.21.0", "0.33.0"]),
    replicas=st.integers(1, 4),
).map(lambda options: replace(options, max_num_batched_tokens=8192))


@settings(max_examples=150, deadline=None)
@given(models(), machines(), requested)
def test_any_input_gets_a_complete_answer(model: ModelFacts, machine: InstanceType, options: ServingOptions) -> None:
    plan = try_layouts(model, machine, options)
    assert plan.fits is not bool(plan.refusals)
    found = plan_json(plan)
    memory = found["memory_per_gpu"]
    if memory:
        middle = ("weights_gib", "activations_gib", "overhead_gib", "kv_cache_gib")
        assert abs(sum(memory[key] for key in middle) - memory["budget_gib"]) < 1e-6
    low, high = plan.kv_cache_tokens_range
    assert low <= plan.kv_cache_tokens <= high
    if plan.fits and plan.layout:
        needed = plan.layout.cache.blocks_per_request(plan.options.max_model_len, plan.options)
        assert plan.layout.blocks[1] >= needed, "a likely fit holds one request by the likely estimate"
        assert plan.max_concurrency >= 1
    if plan.verdict == "fits" and plan.layout:
        needed = plan.layout.cache.blocks_per_request(plan.options.max_model_len, plan.options)
        assert plan.layout.blocks[0] >= needed, "a fit holds one request by the low estimate"
        assert plan.margin_bytes >= 0
        assert plan.largest_context_tokens >= plan.options.max_model_len


def at(model: ModelFacts, machine: InstanceType, **options: object) -> Plan:
    return try_layouts(model, machine, ServingOptions(pipeline_parallel_size=1, max_model_len=64, **options))  # pyright: ignore[reportArgumentType]


@settings(max_examples=100, deadline=None)
@given(models(), machines(), st.floats(1, 100))
def test_more_memory_never_shrinks_the_kv_cache(model: ModelFacts, machine: InstanceType, more_gib: float) -> None:
    kept = {"max_num_seqs": 64, "max_num_batched_tokens": 2048}
    larger = replace(machine, gpu_memory_gib=machine.gpu_memory_gib + more_gib)
    assert at(model, larger, **kept).kv_cache_tokens >= at(model, machine, **kept).kv_cache_tokens


@settings(max_examples=100, deadline=None)
@given(models(), machines(), st.integers(1, 1000), st.integers(1, 1000))
def test_a_longer_context_never_raises_concurrency(
    model: ModelFacts, machine: InstanceType, context: int, more: int
) -> None:
    def concurrency(tokens: int) -> float:
        options = ServingOptions(pipeline_parallel_size=1, max_model_len=tokens)
        return try_layouts(model, machine, options).max_concurrency

    assert concurrency(context + more) <= concurrency(context)


@settings(max_examples=60, deadline=None)
@given(models(), machines(), st.integers(1, 100_000))
def test_a_longer_request_never_needs_fewer_blocks(model: ModelFacts, machine: InstanceType, length: int) -> None:
    layout = at(model, machine, max_num_seqs=64, max_num_batched_tokens=2048, tensor_parallel_size=1).layout
    if layout:
        options = resolve(ServingOptions(), machine, context_limit_tokens=2048)
        cache = layout.cache
        assert cache.blocks_per_request(length + 1, options) >= cache.blocks_per_request(length, options)


@settings(max_examples=60, deadline=None)
@given(models(), machines())
def test_more_sequences_never_leave_more_kv_cache(model: ModelFacts, machine: InstanceType) -> None:
    kept = {"max_num_batched_tokens": 2048}
    few, many = (at(model, machine, max_num_seqs=seqs, **kept).kv_cache_tokens for seqs in (16, 256))
    assert many <= few
