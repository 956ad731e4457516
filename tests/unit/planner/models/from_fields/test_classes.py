"""What single classes of vLLM do with the fields of their config.json."""

from typing import Any

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.defaults import fill_defaults
from vllm_eks.planner.models.layer_shape import LayerShape
from vllm_eks.planner.models.mixers import Beside, GroupedQuery, KimiDelta, Latent, Lightning, NoMixer

DENSE = {
    "hidden_size": 1024,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 4096,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
}


def read(name: str, **changes: object) -> Any:
    return parse_config({**DENSE, "architectures": [name], **changes}, where="novel")


def test_dbrx_has_its_heads_and_experts_in_sections_of_their_own() -> None:
    dbrx = {
        "architectures": ["DbrxForCausalLM"],
        "model_type": "dbrx",
        "d_model": 6144,
        "n_heads": 48,
        "n_layers": 40,
        "max_seq_len": 32768,
        "vocab_size": 100352,
        "attn_config": {"kv_n_heads": 8},
        "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4},
    }
    found = parse_config(fill_defaults(dbrx), where="dbrx")
    assert found.attention[0] == GroupedQuery(heads=48, kv_heads=8, head_dim=128)
    assert found.shapes[0].experts == 16 * 3 * 6144 * 10752


def test_a_block_of_decilm_may_have_no_attention_and_no_mlp() -> None:
    def block(heads_in_group: int | None, mult: float | None) -> dict[str, Any]:
        attention = {"no_op": heads_in_group is None, "n_heads_in_group": heads_in_group}
        return {"attention": attention, "ffn": {"no_op": mult is None, "ffn_mult": mult}}

    blocks = [block(8, 2.0), block(None, 1.0), block(4, None), block(None, None)]
    found = read("DeciLMForCausalLM", block_configs=blocks, num_key_value_heads=None)
    assert [type(one) for one in found.attention] == [GroupedQuery, NoMixer, GroupedQuery, NoMixer]
    assert [one.kv_heads for one in found.attention if isinstance(one, GroupedQuery)] == [1, 2]
    assert [shape.mlp for shape in found.shapes] == [3 * 1024 * 1536, 3 * 1024 * 768, 0, 0]


def test_deepseek_without_latent_attention_does_not_read_head_dim() -> None:
    ocr = {"qk_nope_head_dim": 0, "kv_lora_rank": None, "head_dim": 64}
    assert read("DeepseekV2LikeForCausalLM", **ocr).attention[0].head_dim == 128
    assert read("DeepseekV2LikeForCausalLM", head_dim=64).attention[0].head_dim == 64


def test_the_widths_of_deepseek_ocr_s_encoders_are_accepted_by_name_and_its_sizes_are_those_of_the_class() -> None:
    vision = {"width": {"clip-l-14-224": {"width": 1024}, "sam_vit_b": {"width": 768}}, "image_size": 1024}
    found = read("DeepseekOCRForCausalLM", vision_config=vision).vision
    assert (found.parameters - found.whole_parameters, found.num_attention_heads) == (24 * 12_590_080, 16)
    with pytest.raises(WrongQuestion, match=r"has vision_config\.width 0: write a whole number above 0"):
        read("DeepseekOCRForCausalLM", vision_config={**vision, "width": 0})


def test_an_encoder_whose_fields_are_missing_is_unknown() -> None:
    with pytest.raises(WrongQuestion) as caught:
        read("UltravoxModel")
    assert str(caught.value) == (
        "novel: config.json has no audio_config.encoder_layers, so the planner cannot determine its encoder's memory"
    )


def test_ernie_has_experts_of_two_sizes_and_a_table_in_each_layer() -> None:
    sizes = {"moe_num_experts": [64, 64], "moe_intermediate_size": [1536, 512], "moe_num_shared_experts": 2}
    vision = {"depth": 2, "hidden_size": 64, "patch_size": 14}
    found = read("Ernie4_5_VLMoeForConditionalGeneration", vision_config=vision, moe_k=6, **sizes)
    assert (found.experts.count, found.experts.intermediate_size) == (64, 2048)
    assert found.experts.shared_intermediate_size == 2 * 1536
    assert found.rotary_tables[0].is_of_each_layer
    assert found.rotary_tables[0].positions == 4 * 4096
    assert read("NovelForCausalLM", **{**sizes, "moe_num_experts": 64}).experts.intermediate_size == 1536


def test_molmo_counts_the_gate_in_its_mlp_size() -> None:
    assert read("MolmoForCausalLM").shapes[0].mlp == 3 * 1024 * 2048


def test_moondream_3_without_sizes_has_those_of_its_class() -> None:
    found = parse_config({"architectures": ["HfMoondream"], "config": {}}, where="moondream")
    assert (found.num_hidden_layers, found.hidden_size, found.moe_layers) == (24, 2048, frozenset(range(4, 24)))
    assert (found.shapes[0].mlp, found.shapes[4].experts) == (2 * 2048 * 8192, 64 * 3 * 2048 * 1024)
    text = {"dim": 1024, "n_layers": 6, "moe": {"num_experts": 8, "start_layer": 5, "expert_inner_dim": 512}}
    small = parse_config({"architectures": ["HfMoondream"], "config": {"text": text}}, where="moondream")
    assert (small.num_hidden_layers, small.hidden_size, small.moe_layers) == (6, 1024, {5})


def test_whisper_has_the_layers_of_its_decoder_and_a_second_attention() -> None:
    whisper = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "d_model": 1280,
        "encoder_layers": 32,
        "decoder_layers": 4,
        "num_hidden_layers": 32,
        "encoder_attention_heads": 20,
        "decoder_attention_heads": 20,
        "encoder_ffn_dim": 5120,
        "decoder_ffn_dim": 5120,
        "num_mel_bins": 128,
        "vocab_size": 51866,
        "max_target_positions": 448,
        "max_source_positions": 1500,
    }
    found: Any = parse_config(fill_defaults(whisper), where="whisper")
    assert (found.num_hidden_layers, found.context_tokens, found.rotary_tables) == (4, 448, ())
    assert all(one.has_cross for one in found.attention)
    assert found.shapes[0].split + found.shapes[0].key_value == 2 * 4 * 1280 * 1280
    assert (found.embedding_is_whole, found.position_parameters) == (True, 448 * 1280)


def test_the_halves_of_longcat_s_layers_are_layers_that_share_a_stage() -> None:
    latent = {"kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64}
    mixture = {"n_routed_experts": 16, "expert_ffn_hidden_size": 256, "moe_topk": 4, "ngram_vocab_size_ratio": 3}
    found = read("LongcatFlashNgramForCausalLM", **latent, **mixture, v_head_dim=128)
    assert (found.num_hidden_layers, found.layers_of_block, found.moe_layers) == (8, 2, {0, 2, 4, 6})
    assert {type(one) for one in found.attention} == {Latent}
    assert {shape.mlp for shape in found.shapes} == {3 * 1024 * 4096}
    assert found.extra_parameters == 3 * 32000 * 1024


def test_layers_that_run_again_have_a_cache_and_no_weights() -> None:
    found = read("IQuestLoopCoderForCausalLM", loop_num=3)
    assert [one.window_tokens for one in found.attention] == [None] * 4 + [64] * 8
    assert found.shapes[4:] == (LayerShape(),) * 8
    cycles = {"num_layers_per_stack": 2, "H_cycles": 2, "L_cycles": 3}
    hrm = read("HrmTextForCausalLM", **cycles)
    assert (hrm.num_hidden_layers, sum(shape.parameters > 0 for shape in hrm.shapes)) == (16, 4)


def test_zamba_2_s_layers_share_attention_of_twice_the_width() -> None:
    mamba = {"n_mamba_heads": 8, "mamba_headdim": 256, "mamba_d_state": 64, "mamba_expand": 2, "adapter_rank": 16}
    kinds = ["linear_attention", "linear_attention", "hybrid", "hybrid"]
    found = read(
        "Zamba2ForCausalLM", layers_block_type=kinds, attention_head_dim=256, kv_channels=80, num_mem_blocks=1, **mamba
    )
    attention = found.attention[2]
    assert isinstance(attention, Beside)
    assert attention.attention.head_dim == 256
    assert {shape.mlp for shape in found.shapes} == {0}
    assert [shape.whole for shape in found.shapes] == [0, 0, 1024**2, 1024**2]
    block = 7 * 1024 * 8 * 256 + 3 * 1024 * 4096
    assert found.extra_parameters == block + 2 * 16 * (1024 + 2 * 4096)


def test_bailing_has_lightning_attention_or_kimi_s_with_projections_of_full_rank() -> None:
    latent = {"kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64}
    fields = {**latent, "v_head_dim": 128, "layer_group_size": 4}
    old = read("BailingMoeV2_5ForCausalLM", **fields).attention[0]
    assert old == Lightning(heads=8, head_dim=128, state_value_bytes=2)
    new = read("BailingMoeV3ForCausalLM", **fields, short_conv_kernel_size=4)
    assert isinstance(new.attention[0], KimiDelta)
    assert (new.shapes[0].split, new.shapes[0].whole) == (1024 * (6 * 1024 + 8), 0)


def test_omni_nemotron_keeps_its_states_in_16_bits() -> None:
    mamba = {"mamba_num_heads": 8, "mamba_head_dim": 64, "ssm_state_size": 128, "mamba_ssm_cache_dtype": "float32"}
    fields = {**mamba, "hybrid_override_pattern": "M*--", "vit_hidden_size": 1280, "projector_hidden_size": 2048}
    sizes = {
        name: read(name, **fields).attention[0].state_value_bytes
        for name in ("NemotronH_Nano_VL_V2", "NemotronH_Nano_Omni_Reasoning_V3")
    }
    assert list(sizes.values()) == [4, 2]


def test_a_size_that_nothing_reads_makes_a_class_unknown_that_was_never_compared() -> None:
    with pytest.raises(WrongQuestion) as caught:
        read("NovelForCausalLM", memory_slots=64, qk_head_dim=192, norm_eps=1e-5, bos_token_id=128000)
    assert str(caught.value) == (
        "novel: config.json has memory_slots, which the planner does not read, and NovelForCausalLM was not compared "
        "with vLLM's class"
    )
    assert read("OlmoForCausalLM", memory_slots=64).num_hidden_layers == 4


@pytest.mark.parametrize(("name", "tied"), [("CohereForCausalLM", True), ("AfmoeForCausalLM", False)])
@pytest.mark.parametrize("stated", [True, False])
def test_some_classes_tie_always_or_never(name: str, tied: bool, stated: bool) -> None:
    assert read(name, tie_word_embeddings=stated).tie_word_embeddings is tied


@pytest.mark.parametrize("field", ["rope_head_dim", "qk_rope_dim", "rotary_dim"])
def test_a_table_has_the_rotated_part_of_a_head_that_the_config_states(field: str) -> None:
    assert read("NovelForCausalLM", **{field: 32}).rotary_tables[0].dim == 32


def test_a_mamba_without_attention_has_the_width_that_its_config_states() -> None:
    mamba = {"model_type": "falcon_mamba", "state_size": 16, "conv_kernel": 4, "expand": 2, "intermediate_size": 1536}
    assert read("FalconMambaForCausalLM", **mamba).attention[0].size == 1536


def test_a_word_of_a_class_that_reads_no_layer_types_is_full_attention() -> None:
    kinds = ["deepseek_sparse_attention"] * 4
    assert read("NovelForCausalLM", layer_types=kinds).attention[0].window_tokens is None
