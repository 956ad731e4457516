"""Which modules a checkpoint quantizes, and how, by its config.json or ModelOpt's file beside it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.lock_file import config_facts
from vllm_eks.planner.models.quantization import Quantization
from vllm_eks.planner.models.quantization_config import SEPARATE_QUANTIZATION, parse_quantization
from vllm_eks.planner.search.model_folder import read_model_folder

LAYER = "model.layers.3"
PRODUCER = {"name": "modelopt", "version": "0.29.0"}


def parsed(**section: Any) -> Quantization:
    return parse_quantization({"quantization_config": section})


def of_modelopt(algorithm: str, **fields: Any) -> dict[str, Any]:
    return {"producer": PRODUCER, "quantization": {"quant_algo": algorithm, **fields}}


def bits(found: Quantization, module: str) -> int:
    scheme = found.of(f"{LAYER}.{module}")
    return scheme.weight_bits if scheme else 16


@pytest.mark.parametrize(
    ("algorithm", "weight_bits", "bytes_per_parameter"),
    [("FP8", 8, 1.0), ("FP8_PB_WO", 8, 1 + 4 / 128**2), ("NVFP4", 4, 0.5 + 1 / 16)],
)
def test_modelopt_s_separate_file_is_read_by_its_producer(
    algorithm: str, weight_bits: int, bytes_per_parameter: float
) -> None:
    section = of_modelopt(algorithm, exclude_modules=["lm_head", "*.gate"], kv_cache_quant_algo="FP8", group_size=16)
    found = parse_quantization({SEPARATE_QUANTIZATION: section})
    assert (found.weight_bits, found.kv_cache_dtype) == (weight_bits, "fp8_e4m3")
    assert found.bytes_of(f"{LAYER}.mlp.down_proj") == pytest.approx(bytes_per_parameter)
    assert not found.covers("model.layers.0.mlp.gate")
    own = parse_quantization({"quantization_config": {"quant_method": "fp8"}, SEPARATE_QUANTIZATION: section})
    assert own.method == "fp8", "config.json wins"


def test_algorithms_that_vllm_does_not_accept_from_the_separate_file_are_an_error() -> None:
    text = (
        "vLLM does not accept quant_algo W4A8_AWQ of hf_quant_config.json: it accepts FP8, FP8_PER_CHANNEL_PER_TOKEN, "
        "FP8_PB_WO, NVFP4"
    )
    with pytest.raises(WrongQuestion, match=f"^{re.escape(text)}$"):
        parse_quantization({SEPARATE_QUANTIZATION: of_modelopt("W4A8_AWQ")})
    with pytest.raises(WrongQuestion, match=r"^modelopt with quant_algo 'INT3' is not supported: FP8, "):
        parsed(quant_method="modelopt", quant_algo="INT3")


def test_nvfp4_in_the_separate_file_needs_the_size_of_its_groups() -> None:
    text = "vLLM refuses quant_algo NVFP4 of hf_quant_config.json without group_size: add it"
    with pytest.raises(WrongQuestion, match=f"^{re.escape(text)}$"):
        parse_quantization({SEPARATE_QUANTIZATION: of_modelopt("NVFP4", kv_cache_quant_algo=None)})
    whole = of_modelopt("NVFP4", kv_cache_quant_algo=None, exclude_modules=[], group_size=32)
    assert parse_quantization({SEPARATE_QUANTIZATION: whole}).group_size == 32
    flat = parsed(quant_method="modelopt", quant_algo="NVFP4")
    assert flat.group_size == 16, "config.json may leave it out"


def test_mixed_precision_has_the_format_of_each_layer_s_name() -> None:
    experts = {f"{LAYER}.mlp.experts.{n}.{p}_proj": {"quant_algo": "NVFP4"} for n in range(4) for p in ("up", "down")}
    found = parsed(
        quant_method="modelopt",
        quant_algo="MIXED_PRECISION",
        quantized_layers={f"{LAYER}.self_attn.q_proj": {"quant_algo": "FP8"}, **experts},
        ignore=["lm_head"],
    )
    assert found.method == "modelopt_mixed"
    assert [bits(found, name) for name in ("self_attn.q_proj", "mlp.experts.3.up_proj", "mlp.gate")] == [8, 4, 16]
    assert [scheme.targets for scheme in found.others] == [(f"{LAYER}.mlp.experts",)], "experts of a layer are one"
    assert (found.names_layer(3), found.names_layer(2)) == (True, False)


@pytest.mark.parametrize(
    ("scheme", "dtype"),
    [
        ({"dynamic": False, "num_bits": 8, "type": "float"}, "fp8_e4m3"),
        ({"dynamic": True, "num_bits": 8, "type": "float"}, "auto"),
    ],
)
def test_modelopt_s_cache_scheme_in_config_json(scheme: dict[str, Any], dtype: str) -> None:
    found = parsed(quant_method="modelopt", quant_algo="NVFP4", kv_cache_scheme=scheme)
    assert found.kv_cache_dtype == dtype


def test_compressed_tensors_with_two_schemes_takes_the_one_that_names_the_module() -> None:
    weights = {"num_bits": 4, "group_size": 128, "type": "int", "symmetric": True}
    found = parsed(
        quant_method="compressed-tensors",
        config_groups={
            "group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}},
            "group_1": {"targets": [r"re:.*mlp\.experts.*"], "weights": weights},
        },
        ignore=["lm_head", r"re:.*mlp\.gate$"],
        kv_cache_scheme={"num_bits": 8, "type": "float"},
    )
    names = ("self_attn.q_proj", "mlp.experts.7.up_proj", "mlp.gate")
    assert [bits(found, name) for name in names] == [8, 4, 16]
    assert found.kv_cache_dtype == "fp8"
    assert found.bytes_of(f"{LAYER}.mlp.experts.7.up_proj") == pytest.approx(0.5 + 2 / 128)


def test_auto_round_has_other_bits_for_the_layers_of_its_extra_config() -> None:
    found = parsed(
        quant_method="auto-round",
        bits=4,
        group_size=128,
        sym=True,
        packing_format="auto_round:auto_gptq",
        extra_config={f"{LAYER}.mlp.down_proj": {"bits": 8}, r"layers\.\d+\.self_attn": {"bits": 16}},
    )
    assert found.method == "inc"
    assert [bits(found, name) for name in ("mlp.up_proj", "mlp.down_proj", "self_attn.o_proj")] == [4, 8, 16]
    assert not found.covers("lm_head")


def test_sparse_marlin_weights_keep_half_the_values_and_their_positions() -> None:
    found = parsed(quant_method="gptq_marlin_24", bits=4, group_size=128, sym=True)
    assert found.bytes_of(f"{LAYER}.mlp.up_proj") == pytest.approx(3 / 8 + 2 / 128)


def test_names_of_multimodal_checkpoints_are_those_of_the_decoder() -> None:
    found = Quantization(method="fp8", weight_bits=8, ignored=("language_model.model.layers.3.mlp.gate", "x.y"))
    assert [found.covers(f"{LAYER}.mlp.{name}") for name in ("gate", "gate_proj")] == [False, True]
    inside = Quantization(method="fp8", weight_bits=8, ignored=("model.language_model.layers.3.mlp",))
    assert not inside.covers(f"{LAYER}.mlp.up_proj")


@pytest.mark.parametrize(
    "name", ["language_model.model.layers.3.mlp*", "re:language_model.model.*mlp", "model.language_model.layers.3.mlp*"]
)
def test_patterns_of_multimodal_checkpoints_name_the_decoder_s_modules_too(name: str) -> None:
    found = Quantization(method="modelopt_fp4", weight_bits=4, ignored=(name,))
    assert not found.covers(f"{LAYER}.mlp.up_proj")
    assert found.covers(f"{LAYER}.self_attn.q_proj")


def test_a_shell_pattern_names_the_modules_inside_too() -> None:
    found = Quantization(method="modelopt_fp4", weight_bits=4, ignored=("*.mlp.gate", "*.self_attn", "x.*"))
    assert not found.covers(f"{LAYER}.self_attn.q_proj")
    assert [found.covers(f"{LAYER}.mlp.{name}") for name in ("gate", "gate_proj")] == [False, True]


def test_compressed_tensors_knows_names_and_regular_expressions_but_no_shell_patterns() -> None:
    group = {"weights": {"num_bits": 8, "type": "float"}, "targets": ["Linear"]}
    ignore = ["model.layers.*.self_attn.q_proj", "re:model.layers.*.self_attn.k_proj", "lm_head"]
    found = parsed(quant_method="compressed-tensors", config_groups={"group_0": group}, ignore=ignore)
    covered = [found.covers(f"{LAYER}.self_attn.{name}") for name in ("q_proj", "k_proj")]
    assert covered == [True, False]


def test_a_folder_s_and_a_lock_s_separate_file_count(tmp_path: Path) -> None:
    config = json.loads((Path(__file__).parents[3] / "data" / "qwen3-0.6b-config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    plain = read_model_folder(tmp_path)
    section = of_modelopt("FP8", kv_cache_quant_algo="FP8")
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(section))
    quantized = read_model_folder(tmp_path)
    assert quantized.architecture.quantization.method == "modelopt"
    assert quantized.weights_bytes < 0.8 * plain.weights_bytes
    assert config_facts({**config, SEPARATE_QUANTIZATION: section})[SEPARATE_QUANTIZATION] == section


def test_a_32_bit_checkpoint_is_loaded_in_16_bits(tmp_path: Path) -> None:
    config = json.loads((Path(__file__).parents[3] / "data" / "qwen3-0.6b-config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "torch_dtype": "float32"}))
    without_index = read_model_folder(tmp_path)
    total = 2 * round(without_index.parts.total_bytes)
    assert (without_index.weights_bytes, without_index.loaded_bytes, without_index.weights_scale) == (
        total,
        total / 2,
        1.0,
    )
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}}))
    stored = read_model_folder(tmp_path)
    assert (stored.weights_bytes, stored.weights_scale) == (total, pytest.approx(1.0)), "the download is twice as large"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total // 2}}))
    assert read_model_folder(tmp_path).weights_bytes == read_model_folder(tmp_path).loaded_bytes == total // 2


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ({"quant_method": "fp8", "ignored_layers": ["re:(("]}, "re:(("),
        ({"quant_method": "auto-round", "bits": 4, "extra_config": {"(": {"bits": 8}}}, "re:.*(?:()"),
    ],
)
def test_a_name_that_is_no_regular_expression_is_an_error(section: dict[str, Any], name: str) -> None:
    text = f"the quantization_config of {section['quant_method']} has the name {name!r}, which is no regular expression"
    with pytest.raises(WrongQuestion, match=f"^{re.escape(text)}: "):
        parsed(**section)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(WrongQuestion, match=r"^the quantization_config of auto-round needs bits$"):
        parsed(quant_method="auto-round")
    with pytest.raises(WrongQuestion, match=r"^quantization_config needs a quant_method, such as fp8$"):
        parsed(bits=4)


def test_a_group_size_of_minus_1_is_a_scale_for_each_channel() -> None:
    assert Quantization(method="compressed-tensors", weight_bits=4, group_size=-1).bytes_per_parameter() == 0.5
