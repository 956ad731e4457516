import json
from pathlib import Path

import pytest

from tests.support.plans import (
    ALL_MODELS,
    LLAMA_8B,
    LLAMA_70B,
    MIXTRAL,
    QWEN_32B,
    QWEN_235B,
    SCOUT,
    SCOUT_W4A16,
)
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.from_fields.names import UnknownMemory
from vllm_eks.planner.models.known_models import LOCKED, find_model
from vllm_eks.planner.models.lock_file import config_facts
from vllm_eks.planner.models.lock_folders import locked_model_ids
from vllm_eks.planner.models.unknown_model import UnknownModel
from vllm_eks.planner.search.model_folder import read_model_folder
from vllm_eks.planner.search.named_models import load_model
from vllm_eks.planner.units import gib

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "intermediate_size": 14336,
    "max_position_embeddings": 8192,
}


def folder_with(folder: Path, config: dict[str, object], index: dict[str, object] | None = None) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    if index is not None:
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_about_seventy_models_are_locked_with_those_of_both_stacks_and_of_the_guide() -> None:
    assert set(ALL_MODELS) < set(locked_model_ids())
    assert len(locked_model_ids()) >= 50


@pytest.mark.parametrize(
    ("model", "file_gib"), [(LLAMA_8B, 14.96), (LLAMA_70B, 131.42), (QWEN_32B, 61.02), (QWEN_235B, 437.9)]
)
def test_computed_weights_agree_with_the_published_file_sizes(model: str, file_gib: float) -> None:
    assert gib(find_model(model).weights_bytes) == pytest.approx(file_gib, abs=0.01)


def test_scout_is_over_200_gb_and_its_four_bit_form_less_than_a_third() -> None:
    assert find_model(SCOUT).weights_bytes == 217_284_078_592
    assert gib(find_model(SCOUT_W4A16).weights_bytes) == pytest.approx(60.4, abs=0.1)


def test_parameters_count_every_expert_and_the_vision_tower() -> None:
    assert find_model(MIXTRAL).parts.parameters == pytest.approx(46.70e9, rel=1e-3)
    assert find_model(SCOUT).parts.parameters == pytest.approx(108.64e9, rel=1e-3)
    assert find_model(SCOUT).parts.vision_parameters == pytest.approx(0.87e9, rel=0.01)


def test_gated_models_are_known_as_gated() -> None:
    gated = {model for model in ALL_MODELS if find_model(model).gated}
    assert find_model("openai/gpt-oss-20b").gated is False
    assert gated == {SCOUT, LLAMA_8B, LLAMA_70B, MIXTRAL}


def test_the_error_for_an_unknown_model_has_the_nearest_ids() -> None:
    with pytest.raises(UnknownModel) as caught:
        find_model("Qwen/Qwen3-8b-Instruct")
    assert "did you mean Qwen/Qwen3-8B" in str(caught.value)
    assert "with vllm-eks lock Qwen/Qwen3-8b-Instruct, or give a folder" in str(caught.value)


def test_an_unsupported_weight_format_is_named_and_no_other_model_is_suggested() -> None:
    with pytest.raises(UnknownModel) as caught:
        find_model("Qwen/Qwen3-14B-GGUF")
    assert str(caught.value) == (
        "model 'Qwen/Qwen3-14B-GGUF': GGUF is not supported: use the model's safetensors repository, or an AWQ or "
        "FP8 one"
    )
    assert caught.value.nearest == ()


def test_a_folder_with_a_config_is_planned_from_computed_bytes(tmp_path: Path) -> None:
    found = load_model(str(folder_with(tmp_path, CONFIG)))
    assert found.weights_source == "computed"
    assert gib(found.weights_bytes) == pytest.approx(14.96, abs=0.01)


def test_gemma_3_is_planned_from_the_config_that_google_publishes(tmp_path: Path) -> None:
    published = {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "image_token_index": 262144,
        "mm_tokens_per_image": 256,
        "model_type": "gemma3",
        "text_config": {
            "head_dim": 128,
            "hidden_size": 5376,
            "intermediate_size": 21504,
            "model_type": "gemma3_text",
            "num_attention_heads": 32,
            "num_hidden_layers": 62,
            "num_key_value_heads": 16,
            "query_pre_attn_scalar": 168,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 1024,
        },
        "torch_dtype": "bfloat16",
        "vision_config": {
            "hidden_size": 1152,
            "image_size": 896,
            "intermediate_size": 4304,
            "model_type": "siglip_vision_model",
            "num_attention_heads": 16,
            "num_hidden_layers": 27,
            "patch_size": 14,
            "vision_use_head": False,
        },
    }
    found, locked = load_model(str(folder_with(tmp_path, published))), find_model("google/gemma-3-27b-it")
    assert found.weights_bytes == pytest.approx(locked.weights_bytes, rel=1e-3)
    assert found.architecture.context_limit((0, 27, 0)) == 131072
    assert found.architecture.vocab_size == locked.architecture.vocab_size == 262208


def test_an_index_gives_the_bytes_and_the_parts_are_scaled_to_them(tmp_path: Path) -> None:
    total = 16_500_000_000
    found = read_model_folder(folder_with(tmp_path, CONFIG, {"metadata": {"total_size": total}}))
    assert (found.weights_source, found.weights_bytes) == ("index", total)
    assert found.weights_scale * found.parts.total_bytes == pytest.approx(total)


@pytest.mark.parametrize(
    ("total", "message"),
    [
        ("16 GB", "metadata.total_size '16 GB' is not a number of bytes: download the file again"),
        (-5, "metadata.total_size -5 is not a number of bytes: download the file again"),
        (10**400, f"metadata.total_size 1{'0' * 119}... is not a number of bytes: download the file again"),
        (
            2**30,
            "metadata.total_size is 1.00 GiB, and config.json describes a model of 14.96 GiB: use files of the "
            "same model",
        ),
        (
            200 * 2**30,
            "metadata.total_size is 200.00 GiB, and config.json describes a model of 14.96 GiB: use files of the "
            "same model",
        ),
    ],
)
def test_an_index_of_another_model_is_an_error(tmp_path: Path, total: object, message: str) -> None:
    folder = folder_with(tmp_path, CONFIG, {"metadata": {"total_size": total}})
    with pytest.raises(WrongQuestion) as caught:
        read_model_folder(folder)
    assert str(caught.value) == f"{folder}/model.safetensors.index.json: {message}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": None}, 'config.json has no "architectures", such as'),
        (
            {"hidden_size": None, "vocab_size": "x"},
            'config.json has vocab_size "x": write a whole number above 0; '
            "it needs a whole number above 0 for hidden_size",
        ),
        (
            {"quantization_config": {"quant_method": "exl2"}},
            "quantization method 'exl2' is not supported",
        ),
        (
            {"architectures": ["MixtralForCausalLM"]},
            "config.json needs a whole number above 0 for one of n_routed_experts, num_local_experts, num_experts",
        ),
    ],
)
def test_a_config_that_cannot_be_sized_is_one_clear_sentence(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(WrongQuestion) as caught:
        read_model_folder(folder_with(tmp_path, {**CONFIG, **change}))
    assert message in str(caught.value)


def test_a_folder_without_a_config_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WrongQuestion, match=r"has no config\.json: put the model"):
        load_model(str(tmp_path))


@pytest.mark.parametrize(
    ("section", "bytes_per_parameter"),
    [
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 1 + 4 / 16384),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, 0.5 + 2.5 / 128),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}, 0.5 + 2 / 128),
    ],
)
def test_quantized_linears_count_their_scales(
    tmp_path: Path, section: dict[str, object], bytes_per_parameter: float
) -> None:
    found = read_model_folder(folder_with(tmp_path, {**CONFIG, "quantization_config": section}))
    assert found.architecture.quantization.bytes_per_parameter() == pytest.approx(bytes_per_parameter)
    layer = found.parts.layers[0]
    assert layer.mlp_bytes == pytest.approx(3 * 4096 * 14336 * bytes_per_parameter)
    assert found.parts.embedding_bytes == 2 * 128256 * 4096


def test_ignored_modules_of_a_quantized_checkpoint_stay_16_bit() -> None:
    layer = find_model(SCOUT_W4A16).parts.layers[0]
    assert layer.query_output_bytes == 2 * 2 * 5120 * 5120
    assert layer.expert_bytes == pytest.approx(3 * 5120 * 8192 * 16 * (0.5 + 2 / 128))


def test_experts_are_in_every_second_layer_if_the_config_says_it() -> None:
    locked = json.loads((LOCKED / "meta-llama--Llama-4-Scout-17B-16E-Instruct.json").read_text())
    text = {**locked["config"]["text_config"], "interleave_moe_layer_step": 2}
    found = parse_config({**locked["config"], "text_config": text}, where="maverick")
    assert sorted(found.moe_layers) == list(range(1, 48, 2))
    assert found.intermediate_size == 16384, "dense layers have their own size"


def test_a_model_whose_memory_is_unknown_still_has_the_bytes_of_its_index(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {**CONFIG, "architectures": ["InklingForCausalLM"]})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 3 * 2**30}}))
    with pytest.raises(UnknownMemory) as caught:
        read_model_folder(folder)
    assert str(caught.value) == (
        f"{folder}: the planner cannot determine the memory of InklingForCausalLM: its config does not say how its "
        "layers mix the tokens; its weights alone take 3.0 GiB"
    )


def test_a_lock_file_keeps_no_infinity_and_the_base_of_the_rope() -> None:
    """transformers writes time_step_limit: [0, Infinity], which is not JSON."""
    hybrid = {"architectures": ["NemotronHForCausalLM"], "hidden_size": 8, "time_step_limit": [0.0, float("inf")]}
    assert config_facts(hybrid) == {"architectures": ["NemotronHForCausalLM"], "hidden_size": 8}
    assert config_facts({**CONFIG, "rope_theta": 5e6})["rope_theta"] == 5e6
