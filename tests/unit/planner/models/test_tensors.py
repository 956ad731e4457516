"""Every tensor of every family in exactly one part."""

from math import prod

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.tensors import LAYER_PARTS, Tensor, sort_tensors, tensor_bytes

EMBEDDING, HEAD, NORM = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"
Q, K, M, E, R = LAYER_PARTS

# name of a module in a decoder layer -> its part
FAMILIES: dict[str, dict[str, str]] = {
    "llama": {
        "self_attn.q_proj.weight": Q,
        "self_attn.k_proj.weight": K,
        "self_attn.v_proj.weight": K,
        "self_attn.o_proj.weight": Q,
        "mlp.gate_proj.weight": M,
        "mlp.down_proj.weight": M,
        "input_layernorm.weight": R,
        "post_attention_layernorm.weight": R,
    },
    "qwen": {"self_attn.q_proj.bias": Q, "self_attn.k_proj.bias": K, "self_attn.q_norm.weight": R},
    "qwen moe": {"mlp.experts.7.up_proj.weight": E, "mlp.gate.weight": R},
    "qwen hybrid": {
        "linear_attn.in_proj_qkvz.weight": Q,
        "linear_attn.out_proj.weight": Q,
        "linear_attn.conv1d.weight": Q,
        "linear_attn.A_log": R,
        "linear_attn.dt_bias": R,
        "linear_attn.norm.weight": R,
        "mlp.shared_expert.up_proj.weight": M,
        "mlp.shared_expert_gate.weight": R,
    },
    "mixtral": {"block_sparse_moe.experts.0.w1.weight": E, "block_sparse_moe.gate.weight": R},
    "llama 4": {
        "feed_forward.experts.gate_up_proj": E,
        "feed_forward.router.weight": R,
        "feed_forward.shared_expert.down_proj.weight": M,
    },
    "gemma": {"pre_feedforward_layernorm.weight": R, "post_feedforward_layernorm.weight": R},
    "phi": {"self_attn.qkv_proj.weight": Q, "mlp.gate_up_proj.weight": M},
    "deepseek": {
        "self_attn.q_a_proj.weight": R,
        "self_attn.q_b_proj.weight": Q,
        "self_attn.kv_b_proj.weight": Q,
        "self_attn.kv_a_proj_with_mqa.weight": R,
        "self_attn.kv_a_layernorm.weight": R,
        "self_attn.indexer.wq_b.weight": R,
        "mlp.gate.e_score_correction_bias": R,
        "mlp.shared_experts.up_proj.weight": M,
        "mlp.experts.255.down_proj.weight_scale_inv": E,
    },
    "gpt-oss": {
        "self_attn.sinks": R,
        "mlp.experts.gate_up_proj_blocks": E,
        "mlp.experts.gate_up_proj_scales": E,
        "mlp.experts.down_proj_bias": E,
        "mlp.router.weight": R,
    },
    "nemotron-h": {
        "mixer.in_proj.weight": Q,
        "mixer.conv1d.weight": Q,
        "mixer.A_log": R,
        "mixer.gate.weight": R,
        "mixer.experts.7.up_proj.weight": E,
        "mixer.shared_experts.up_proj.weight": M,
    },
    "granite": {"block_sparse_moe.input_linear.weight": E, "shared_mlp.input_linear.weight": M},
    "bloom": {"mlp.dense_h_to_4h.weight": M, "self_attention.query_key_value.weight": Q},
    "packed": {
        "mlp.up_proj.weight_packed": M,
        "mlp.up_proj.weight_scale": M,
        "mlp.up_proj.qweight": M,
        "mlp.up_proj.qzeros": M,
        "self_attn.k_proj.scales": K,
    },
}


def sorted_of(tensors: dict[str, Tensor], layers: int = 1):
    return sort_tensors(tensors, layers=layers, heads=8, kv_heads=2)


@pytest.mark.parametrize(("module", "part"), [pair for family in FAMILIES.values() for pair in family.items()])
@pytest.mark.parametrize("prefix", ["model.", "language_model.model.", "model.language_model."])
def test_a_module_of_a_decoder_layer_has_its_part(prefix: str, module: str, part: str) -> None:
    found = sorted_of({f"{prefix}layers.0.{module}": ("BF16", (96, 10))})
    (layer,) = found.parts["layers"]
    share = round(1920 * 4 / 12) if "qkv_proj" in module or "query_key_value" in module else 0
    assert layer[part] == 1920 - share
    assert layer["key_value_bytes"] == (1920 if part == K else share)
    assert (found.weights_bytes, found.unknown) == (1920, [])


@pytest.mark.parametrize(
    ("name", "part"),
    [
        (EMBEDDING, "embedding_bytes"),
        ("language_model.model.embed_tokens.weight", "embedding_bytes"),
        (HEAD, "head_bytes"),
        ("language_model.lm_head.weight", "head_bytes"),
        (NORM, "final_norm_bytes"),
        ("visual.blocks.0.attn.qkv.weight", "vision_bytes"),
        ("vision_model.model.layers.0.mlp.fc1.weight", "vision_bytes"),
        ("vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight", "vision_bytes"),
        ("multi_modal_projector.linear_1.weight", "vision_bytes"),
        ("mm_projector.proj.0.weight", "vision_bytes"),
        ("audio_tower.layers.0.fc1.weight", "vision_bytes"),
        ("vpm.encoder.layers.0.mlp.fc1.weight", "vision_bytes"),
        ("transformer.wte.weight", "embedding_bytes"),
        ("embed_out.weight", "head_bytes"),
        ("backbone.norm_f.weight", "final_norm_bytes"),
    ],
)
def test_a_module_outside_the_layers_has_its_part(name: str, part: str) -> None:
    found = sorted_of({name: ("BF16", (5, 7)), "model.layers.0.mlp.gate.weight": ("BF16", (1,))})
    assert found.parts[part] == 70
    assert found.weights_bytes == 72


def test_every_byte_is_in_exactly_one_part() -> None:
    tensors: dict[str, Tensor] = {EMBEDDING: ("BF16", (11, 3)), HEAD: ("F32", (11, 3)), NORM: ("BF16", (3,))}
    for index, family in enumerate(FAMILIES.values()):
        for step, module in enumerate(family):
            tensors[f"model.layers.{index}.{module}"] = ("BF16", (index + 1, 2 * step + 3))
    found = sorted_of(tensors, layers=len(FAMILIES))
    assert found.weights_bytes == sum(tensor_bytes(name, tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.2.mlp.gate_proj.weight",
        "mtp.layers.0.mlp.gate_proj.weight",
        "model.layers.2.shared_head.head.weight",
    ],
)
def test_layers_for_multi_token_prediction_do_not_count(name: str) -> None:
    kept: dict[str, Tensor] = {f"model.layers.{index}.mlp.gate_proj.weight": ("BF16", (4,)) for index in (0, 1)}
    found = sorted_of({**kept, name: ("BF16", (100,))}, layers=2)
    assert (found.weights_bytes, found.draft_bytes, found.parts["parameters"]) == (16, 200, 8)


def test_equal_layers_are_one_kind() -> None:
    sizes = [4, 4, 9, 4]
    tensors: dict[str, Tensor] = {
        f"model.layers.{index}.mlp.gate_proj.weight": ("BF16", (size,)) for index, size in enumerate(sizes)
    }
    kinds = sorted_of(tensors, layers=4).parts["layers"]
    assert [(kind["indices"], kind["mlp_bytes"]) for kind in kinds] == [("0-1,3", 8), ("2", 18)]


@pytest.mark.parametrize(
    ("name", "tensor", "parameters"),
    [
        ("mlp.up_proj.weight", ("BF16", (4, 8)), 32),
        ("mlp.up_proj.weight_packed", ("I32", (4, 1)), 32),
        ("mlp.up_proj.qweight", ("I32", (1, 4)), 32),
        ("mlp.experts.down_proj_blocks", ("U8", (16,)), 32),
        ("mlp.up_proj.weight_scale", ("BF16", (4,)), 0),
        ("mlp.up_proj.qzeros", ("I32", (4,)), 0),
        ("mlp.up_proj.weight_scale_inv", ("F32", (4,)), 0),
    ],
)
def test_packed_weights_count_every_parameter_and_scales_count_none(name: str, tensor: Tensor, parameters: int) -> None:
    assert sorted_of({f"model.layers.0.{name}": tensor}).parts["parameters"] == parameters


def test_an_unknown_module_counts_as_replicated_and_is_reported() -> None:
    name = "model.layers.0.novel.weight"
    found = sorted_of({name: ("F8_E4M3", (4, 4))})
    assert (found.parts["layers"][0]["replicated_bytes"], found.unknown) == (16, [name])


def test_an_unknown_dtype_and_an_empty_layer_are_errors() -> None:
    with pytest.raises(WrongQuestion, match=r"tensor x has dtype F3, which the planner does not support"):
        tensor_bytes("x", ("F3", (1,)))
    with pytest.raises(
        WrongQuestion, match=r"the files have no tensors for layer 1, 2: check that all files are there"
    ):
        sorted_of({"model.layers.0.mlp.gate.weight": ("BF16", (1,))}, layers=3)


def test_bytes_are_elements_times_the_size_of_the_dtype() -> None:
    assert [tensor_bytes("x", (dtype, (3, 4))) for dtype in ("F32", "BF16", "F8_E4M3", "F4")] == [
        prod((3, 4)) * size for size in (4, 2, 1, 0.5)
    ]
