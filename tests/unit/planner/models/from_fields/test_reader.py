"""Architectures that no family row describes, told from the fields of their config.json."""

from typing import Any

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.defaults import fill_defaults
from vllm_eks.planner.models.mixers import GroupedQuery, KimiDelta, Mamba1, Mamba2, NoMixer, ShortConv
from vllm_eks.planner.models.weights import compute_parts

DENSE = {
    "architectures": ["NovelForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 4,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}


def read(**changes: object) -> Any:
    config = {key: value for key, value in {**DENSE, **changes}.items() if value is not None}
    return parse_config(config, where="novel")


def test_an_unknown_architecture_is_read_and_called_an_estimate() -> None:
    found = read()
    assert (found.name, found.confidence, found.kind) == ("NovelForCausalLM", "estimated", "dense")
    layer = 4096 * 4096 * 2 + 2 * 4096 * 8 * 128 + 3 * 4096 * 14336 + 2 * 4096
    assert compute_parts(found).parameters == 2 * 128256 * 4096 + 4096 + 4 * layer


@pytest.mark.parametrize(
    ("names", "moved"),
    [
        ({"n_embd": 4096, "n_layer": 4, "n_head": 32}, ("hidden_size", "num_hidden_layers", "num_attention_heads")),
        ({"ffn_hidden_size": 14336, "multi_query_group_num": 8}, ("intermediate_size", "num_key_value_heads")),
        ({"padded_vocab_size": 128256, "seq_length": 8192}, ("vocab_size", "max_position_embeddings")),
    ],
)
def test_other_names_of_a_field_mean_the_same(names: dict[str, int], moved: tuple[str, ...]) -> None:
    assert compute_parts(read(**names, **dict.fromkeys(moved))) == compute_parts(read())


@pytest.mark.parametrize("name", ["num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"])
def test_experts_are_found_under_all_their_names(name: str) -> None:
    found = read(**{name: 64, "moe_intermediate_size": 1024, "first_k_dense_replace": 1, "n_shared_experts": 2})
    assert (found.experts.count, found.experts.shared_intermediate_size, found.kind) == (64, 2048, "mixture of experts")
    assert found.moe_layers == {1, 2, 3}
    assert found.shapes[1].experts == 64 * 3 * 4096 * 1024
    assert found.shapes[0].mlp == 3 * 4096 * 14336


def test_experts_under_an_unknown_name_are_refused_and_not_read_as_dense() -> None:
    with pytest.raises(WrongQuestion) as caught:
        read(num_wise_experts=64)
    assert (
        str(caught.value) == "novel: config.json has num_wise_experts, but no number of experts that the planner knows"
    )


@pytest.mark.parametrize(
    ("fields", "layers"),
    [
        ({"moe_layer_freq": [0, 1, 0, 1]}, {1, 3}),
        ({"mlp_layer_types": ["dense", "sparse", "sparse", "sparse"]}, {1, 2, 3}),
        ({"expert_layer_period": 2, "expert_layer_offset": 1}, {1, 3}),
        ({"decoder_sparse_step": 2}, {1, 3}),
        ({"mlp_only_layers": [0, 2]}, {1, 3}),
        ({"moe_layers_enum": "2,3"}, {2, 3}),
    ],
)
def test_every_way_to_state_the_layers_with_experts_is_read(fields: dict[str, Any], layers: set[int]) -> None:
    assert read(num_experts=8, moe_intermediate_size=512, **fields).moe_layers == layers


def test_windows_are_read_from_layer_types_or_a_pattern() -> None:
    types = ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]
    for fields in ({"layer_types": types}, {"sliding_window_pattern": 4}, {"sliding_window_pattern": "LLLG"}):
        found = read(sliding_window=1024, **fields)
        assert [one.window_tokens for one in found.attention] == [1024, 1024, 1024, None]


def test_layers_with_a_window_have_their_own_heads() -> None:
    found = read(
        sliding_window=128,
        hybrid_layer_pattern=[0, 1, 1, 0],
        swa_num_key_value_heads=4,
        swa_head_dim=192,
        v_head_dim=128,
    )
    assert [(one.kv_heads, one.head_dim, one.value_size) for one in found.attention[:2]] == [
        (8, 128, 128),
        (4, 192, 128),
    ]


def test_a_nemotron_pattern_has_separate_layers_for_mixers_and_mlps() -> None:
    mamba = {"mamba_num_heads": 64, "mamba_head_dim": 64, "n_groups": 8, "ssm_state_size": 128, "conv_kernel": 4}
    found = read(
        architectures=["NemotronHForCausalLM"],
        hybrid_override_pattern="ME*-",
        n_routed_experts=16,
        moe_intermediate_size=512,
        mlp_hidden_act="relu2",
        **mamba,
    )
    assert [type(one) for one in found.attention] == [Mamba2, NoMixer, GroupedQuery, NoMixer]
    assert [bool(shape.experts) for shape in found.shapes] == [False, True, False, False]
    assert found.shapes[3].mlp == 2 * 4096 * 14336
    assert (found.has_states, found.kind) == (True, "hybrid")


@pytest.mark.parametrize(
    ("fields", "mixer"),
    [
        ({"layer_types": ["conv", "conv", "full_attention", "conv"], "conv_L_cache": 3}, ShortConv),
        (
            {"attn_layer_period": 4, "attn_layer_offset": 2, "mamba_d_state": 16, "mamba_d_conv": 4, "mamba_expand": 2},
            Mamba1,
        ),
        ({"linear_attn_config": {"kda_layers": [1, 2, 4], "num_heads": 32, "head_dim": 128}}, KimiDelta),
    ],
)
def test_hybrids_keep_a_state_in_the_layers_without_attention(fields: dict[str, Any], mixer: type) -> None:
    assert [type(one) for one in read(**fields).attention] == [mixer, mixer, GroupedQuery, mixer]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_size": None}, "novel: config.json needs a whole number above 0 for hidden_size"),
        (
            {"layer_types": ["hyena"] * 4},
            "novel: config.json has layer_types hyena, which the planner does not know",
        ),
        (
            {"layer_types": ["full_attention"]},
            "novel: config.json has a layer_types of 1 layers, but num_hidden_layers is 4",
        ),
        (
            {"num_experts": 8, "intermediate_size": None},
            "novel: config.json has 8 experts but not their size (moe_intermediate_size)",
        ),
        ({"intermediate_size": None}, "novel: config.json needs a whole number above 0 for intermediate_size"),
        (
            {"architectures": ["HrmTextForCausalLM"]},
            "novel: config.json needs a whole number above 0 for num_layers_per_stack",
        ),
        (
            {"architectures": ["InklingForCausalLM"]},
            "novel: the planner cannot determine the memory of InklingForCausalLM: its config does not say how its "
            "layers mix the tokens",
        ),
    ],
)
def test_a_property_that_cannot_be_determined_is_an_error_that_names_it(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        read(**fields)
    assert str(caught.value) == message


def test_a_decoder_in_a_section_is_found_and_the_outermost_setting_of_ties_counts() -> None:
    inner = {key: value for key, value in DENSE.items() if key != "architectures"}
    outer = {"architectures": ["NovelForConditionalGeneration"], "tie_word_embeddings": True}
    found = parse_config({**outer, "llm_config": {**inner, "tie_word_embeddings": False}}, where="novel")
    assert (found.hidden_size, found.tie_word_embeddings) == (4096, True)


def test_towers_are_read_from_every_section_with_an_encoder() -> None:
    tower = {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096, "num_attention_heads": 16}
    assert read().vision is None
    one = read(vision_config=tower).vision
    two = read(vision_config=tower, audio_config={"d_model": 1280, "encoder_layers": 32, "num_mel_bins": 128}).vision
    assert one
    assert two
    assert 24 * (4 + 8) * 1024**2 < one.parameters < two.parameters


def test_fields_that_a_published_config_omits_have_transformers_defaults() -> None:
    gemma = {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "hidden_size": 2560}}
    text = fill_defaults(gemma)["text_config"]
    assert (text["num_attention_heads"], text["head_dim"], text["vocab_size"]) == (8, 256, 262208)


def test_a_default_under_another_name_never_replaces_a_field_of_the_file() -> None:
    filled = fill_defaults({"model_type": "qwen3_vl_moe_text", "num_experts": 128, "sliding_window": None})
    assert "num_local_experts" not in filled
    assert filled["sliding_window"] is None


def test_a_class_that_starts_only_without_stages_has_a_reason() -> None:
    moe = {"num_experts": 8, "moe_intermediate_size": 512}
    ernie = {"architectures": ["Ernie4_5_MoeForCausalLM"], **moe}
    assert read(**ernie, tie_word_embeddings=True).without_pipeline == (
        "vLLM's class Ernie4_5_MoeForCausalLM has no pipeline parallelism with tied embeddings"
    )
    assert read(**ernie, tie_word_embeddings=False).without_pipeline == ""
    step = {"architectures": ["Step3p5ForCausalLM"], **moe}
    assert read(**step).without_pipeline == (
        "stages of vLLM's class Step3p5ForCausalLM read tie_word_embeddings, which config.json does not have"
    )
    assert read(**step, tie_word_embeddings=False).without_pipeline == ""


def test_a_model_with_a_bias_for_distance_accepts_any_length_without_a_limit_in_its_config() -> None:
    bloom = read(architectures=["BloomForCausalLM"], max_position_embeddings=None)
    assert (bloom.context_tokens, bloom.rotary_tables) == (2**20, ())
    assert (
        read(architectures=["BloomForCausalLM"], seq_length=2048, max_position_embeddings=None).context_tokens == 2048
    )
    assert read(max_position_embeddings=None).context_tokens == 2048


def test_learned_positions_are_with_the_embedding_and_include_the_rows_that_opt_never_reads() -> None:
    assert read(architectures=["GPT2LMHeadModel"]).position_parameters == 8192 * 4096
    found = read(architectures=["OPTForCausalLM"])
    assert found.position_parameters == 8194 * 4096
    assert compute_parts(found).position_bytes == 2 * 8194 * 4096


def test_glm_rotates_half_of_a_head_unless_the_config_says_otherwise() -> None:
    glm = {"architectures": ["Glm4ForCausalLM"]}
    assert [read(**glm, **one).rotary_tables[0].dim for one in ({}, {"partial_rotary_factor": 1.0})] == [64, 128]


def test_step_3_projects_its_queries_once_more_and_every_rank_holds_keys_and_values() -> None:
    usual, step = (read(num_key_value_heads=1, head_dim=256, **one).shapes[0] for one in ({}, {"share_q_dim": 2048}))
    assert (step.split, step.key_value, step.whole) == (2048 * 8192 + 4096 * 8192, 0, 4096 * (2048 + 512))
    assert (usual.split, usual.key_value, usual.whole) == (2 * 4096 * 8192, 4096 * 512, 0)


def test_a_head_may_have_two_parts_and_values_of_another_size() -> None:
    found = read(qk_nope_dim=128, qk_rope_dim=64, v_channels=128).attention[0]
    assert (found.head_dim, found.value_size) == (192, 128)


def test_streams_that_are_mixed_through_a_low_rank_are_not_split() -> None:
    extra = read(hc_count=4, hc_lowrank=320).shapes[0].unquantized_whole - read().shapes[0].unquantized_whole
    assert extra == 2 * 4 * 4096 * (2 * 320 + 16)


@pytest.mark.parametrize("fields", [{"indexer_n_heads": 32}, {"ple_layer_ids": [1]}])
def test_parts_of_qwen_4_that_were_not_compared_are_unknown(fields: dict[str, Any]) -> None:
    with pytest.raises(WrongQuestion, match=f"novel: config.json has {next(iter(fields))}, and the planner cannot"):
        read(**fields)
