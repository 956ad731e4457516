"""Every family's parameters and weights, compared with published figures."""

from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_70B
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.stages import build_layout
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.families import FAMILIES
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.lock_folders import locked_model_ids
from vllm_eks.planner.units import gib


@pytest.mark.parametrize(
    ("model", "billions"),
    [
        ("meta-llama/Llama-2-7b-chat-hf", 6.74),
        ("meta-llama/Llama-3.2-3B-Instruct", 3.21),
        ("meta-llama/Llama-3.1-405B-Instruct", 405.85),
        ("Qwen/Qwen2.5-72B-Instruct", 72.71),
        ("Qwen/Qwen3-0.6B", 0.596),
        ("Qwen/Qwen3-30B-A3B", 30.53),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", 480.15),
        ("deepseek-ai/DeepSeek-V2-Lite", 15.71),
        ("deepseek-ai/DeepSeek-V3", 671.03),
        ("moonshotai/Kimi-K2-Instruct", 1026.41),
        ("zai-org/GLM-4.5", 352.80),
        ("zai-org/GLM-4.5-Air", 106.85),
        ("mistralai/Mistral-Nemo-Instruct-2407", 12.25),
        ("mistralai/Mixtral-8x22B-Instruct-v0.1", 140.62),
        ("google/gemma-2-9b-it", 9.24),
        ("google/gemma-2-27b-it", 27.23),
        ("openai/gpt-oss-20b", 20.91),
        ("openai/gpt-oss-120b", 116.79),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 79.7),
        ("microsoft/phi-4", 14.66),
        ("microsoft/Phi-4-mini-instruct", 3.84),
        ("MiniMaxAI/MiniMax-M2.5", 228.69),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", 401.58),
    ],
)
def test_parameters_are_those_of_the_public_tables(model: str, billions: float) -> None:
    assert find_model(model).parts.parameters / 1e9 == pytest.approx(billions, rel=2e-3)


@pytest.mark.parametrize(
    ("model", "file_gib"),
    [
        ("microsoft/phi-4", 27.31),
        ("microsoft/Phi-4-mini-instruct", 7.15),
        ("google/gemma-3-4b-it", 8.01),
        ("google/gemma-3-27b-it", 51.10),
        ("moonshotai/Kimi-K2.5", 554.32),
        ("MiniMaxAI/MiniMax-M2.5", 214.34),
        ("mistralai/Mistral-7B-Instruct-v0.3", 13.50),
        ("Qwen/Qwen2.5-14B-Instruct", 27.51),
    ],
)
def test_computed_bytes_are_those_of_the_files(model: str, file_gib: float) -> None:
    assert gib(find_model(model).weights_bytes) == pytest.approx(file_gib, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "file_gib"),
    [
        ("Qwen/Qwen3.5-27B", 51.75),
        ("Qwen/Qwen3.5-35B-A3B", 66.97),
        ("Qwen/Qwen3.5-122B-A10B", 232.99),
        ("deepseek-ai/DeepSeek-V3", 641.3),
    ],
)
def test_files_that_are_larger_than_the_model_contain_its_draft_layer(model: str, file_gib: float) -> None:
    parts = find_model(model).parts
    assert gib(parts.total_bytes + parts.draft_bytes) == pytest.approx(file_gib, rel=5e-3)


@pytest.mark.parametrize(
    ("model", "tp", "loaded_gib", "within"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 1, 14.99, 0.005),
        (LLAMA_70B, 4, 32.89, 0.005),
        ("Qwen/Qwen3-32B", 2, 30.59, 0.005),
        ("Qwen/Qwen3-235B-A22B", 4, 109.61, 0.005),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", 2, 33.88, 0.005),
        ("hugging-quants/Meta-Llama-3.1-405B-Instruct-AWQ-INT4", 4, 51.15, 0.02),
        ("google/gemma-3-27b-it", 8, 6.74, 0.06),
        ("deepseek-ai/DeepSeek-R1-0528", 8, 79.75, 0.01),
        ("moonshotai/Kimi-K2.5", 8, 72.02, 0.02),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", 8, 93.78, 0.005),
        ("MiniMaxAI/MiniMax-M2.5", 8, 27.0, 0.01),
    ],
)
def test_weights_of_a_rank_are_those_in_logs(model: str, tp: int, loaded_gib: float, within: float) -> None:
    machine = find_instance("p5en.48xlarge")
    options = resolve(ServingOptions(), machine, context_limit_tokens=4096)
    layout = build_layout(find_model(model), machine, options, tensor_parallel_size=tp, pipeline_parallel_size=1)
    assert gib(layout.tightest.weights.size_bytes) == pytest.approx(loaded_gib, rel=within)


def test_every_family_has_a_locked_model_or_is_listed_here() -> None:
    locked = {find_model(model).architecture.name for model in locked_model_ids()}
    without = {"Gemma3ForCausalLM", "Llama4ForCausalLM", "Qwen2MoeForCausalLM"}
    assert set(FAMILIES) - locked == without


@pytest.mark.parametrize(
    ("architecture", "missing"),
    [
        (
            "DeepseekV3ForCausalLM",
            "kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim, moe_intermediate_size",
        ),
        (
            "Qwen3NextForCausalLM",
            "linear_num_key_heads, linear_num_value_heads, linear_key_head_dim, "
            "linear_value_head_dim, linear_conv_kernel_dim, moe_intermediate_size",
        ),
        ("Qwen3ForCausalLM", "intermediate_size"),
    ],
)
def test_a_config_that_lacks_its_family_s_fields_names_them_all(architecture: str, missing: str) -> None:
    config = {
        "architectures": [architecture],
        "hidden_size": 4096,
        "num_hidden_layers": 4,
        "num_attention_heads": 32,
        "vocab_size": 128256,
        "max_position_embeddings": 8192,
    }
    with pytest.raises(WrongQuestion) as caught:
        parse_config(config, where="x")
    assert str(caught.value) == f"x: config.json needs a whole number above 0 for {missing}"


@pytest.mark.parametrize(
    ("change", "windows"),
    [
        ({"architectures": ["MistralForCausalLM"], "sliding_window": 4096}, 8),
        ({"architectures": ["MistralForCausalLM"], "sliding_window": None}, 0),
        ({"architectures": ["LlamaForCausalLM"], "sliding_window": 4096}, 0),
        ({"architectures": ["Qwen2ForCausalLM"], "sliding_window": 4096, "use_sliding_window": False}, 0),
        (
            {
                "architectures": ["Qwen2ForCausalLM"],
                "sliding_window": 4096,
                "use_sliding_window": True,
                "max_window_layers": 6,
            },
            2,
        ),
        ({"architectures": ["Gemma2ForCausalLM"], "sliding_window": 4096}, 4),
        ({"architectures": ["Gemma3ForCausalLM"], "sliding_window": 1024}, 7),
        (
            {
                "architectures": ["Gemma3ForCausalLM"],
                "sliding_window": 1024,
                "layer_types": ["full_attention"] * 7 + ["sliding_attention"],
            },
            1,
        ),
    ],
)
def test_windows_are_in_the_layers_where_the_family_has_them(change: dict[str, object], windows: int) -> None:
    config = {
        "hidden_size": 4096,
        "num_hidden_layers": 8,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 128256,
        "max_position_embeddings": 32768,
        **change,
    }
    found = parse_config(config, where="x")
    assert sum(a.window_tokens is not None for a in found.attention) == windows  # pyright: ignore[reportAttributeAccessIssue]


def test_a_family_ties_its_embeddings_where_transformers_omits_the_field() -> None:
    config = {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "intermediate_size": 128,
        "vocab_size": 256,
        "max_position_embeddings": 8192,
    }
    ties = {
        name: parse_config({"architectures": [name], **config}, where="x").tie_word_embeddings
        for name in ("LlamaForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM", "Qwen3ForCausalLM")
    }
    assert [name for name, tied in ties.items() if tied] == ["Gemma2ForCausalLM", "Gemma3ForCausalLM"]
    said = {"architectures": ["Gemma2ForCausalLM"], **config, "tie_word_embeddings": False}
    assert not parse_config(said, where="x").tie_word_embeddings


def test_v3_2_differs_from_v3_by_its_sparse_indexer() -> None:
    old, new = (find_model(f"deepseek-ai/DeepSeek-{name}").parts.parameters for name in ("V3", "V3.2"))
    assert new - old == 61 * (1536 * 64 * 128 + 7168 * (128 + 64))


def test_an_index_with_draft_layers_leaves_the_parts_as_they_are() -> None:
    model = find_model("deepseek-ai/DeepSeek-V3")
    whole = round(model.parts.total_bytes + model.parts.draft_bytes)
    assert replace(model, known_weights_bytes=whole).weights_scale == pytest.approx(1.0)
    assert replace(model, known_weights_bytes=round(model.parts.total_bytes)).weights_scale == pytest.approx(1.0)
