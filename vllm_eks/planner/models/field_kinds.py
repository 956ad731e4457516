"""The kind of each field that the planner reads from a config.json, whatever the architecture is.

A value of another kind is an error of the file. Without this check it would count as absent, and a default would
replace it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vllm_eks.json_values import is_list, is_object, shown
from vllm_eks.planner.models.counts import LARGEST_NUMBER
from vllm_eks.planner.models.from_fields.words import ALIASES, TEXT_SECTIONS, TOWER_WORDS

FROM_0 = f"write a whole number from 0 to {LARGEST_NUMBER:,}"


@dataclass(frozen=True)
class Kind:
    """The values that a field may have besides null."""

    accepts: Callable[[object], bool]
    advice: str
    """What to do about another value."""


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER


def _is_size_or_sizes(value: object) -> bool:
    # Some files have a number for each layer, for each side of an image, or for each tower's part.
    return _is_size(value) or (is_list(value) and bool(value) and all(item is None or _is_size(item) for item in value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LARGEST_NUMBER


def _is_block(value: object) -> bool:
    return is_list(value) and len(value) == 2 and all(_is_size(item) and item != 0 for item in value)


def _are_sizes(value: object) -> bool:
    return is_list(value) and all(_is_size(item) for item in value)


def _are_texts(value: object) -> bool:
    return is_list(value) and all(isinstance(item, str) for item in value)


def _are_objects(value: object) -> bool:
    return is_object(value) and all(is_object(item) for item in value.values())


SIZE = Kind(_is_size, FROM_0)
LENGTH = Kind(lambda value: _is_size(int(value) if isinstance(value, float) and value.is_integer() else value), FROM_0)
"""MusicFlamingo's length in Transformers is 1200.0."""
POSITIVE = Kind(lambda value: value != 0 and _is_size(value), "write a whole number above 0")
SIZES = Kind(_is_size_or_sizes, FROM_0)
SIZES_ABOVE_0 = Kind(lambda value: value != 0 and _is_size_or_sizes(value), POSITIVE.advice)
NUMBER = Kind(_is_number, "write a number above 0")
FLAG = Kind(lambda value: isinstance(value, bool), "write true or false")
TEXT = Kind(lambda value: isinstance(value, str), "write text")
LIST = Kind(is_list, "write a list")
LAYER_NUMBERS = Kind(_are_sizes, "write a list of layer numbers")
TEXTS = Kind(_are_texts, "write a list of names")
OBJECT = Kind(is_object, "write a JSON object")
SIZE_OR_OBJECT = Kind(lambda value: value != 0 and (_is_size(value) or is_object(value)), POSITIVE.advice)
OBJECTS = Kind(_are_objects, "write a JSON object of objects")
BITS = Kind(lambda value: _is_size(value) and value in range(1, 17), "write a whole number from 1 to 16")
GROUP = Kind(lambda value: value == -1 or _is_size(value), "write a whole number, -1 for none")
BLOCK = Kind(_is_block, "write a list of two whole numbers above 0")
PATTERN = Kind(lambda one: not str(one).strip("LG") or is_list(one) or _is_size(one), f"{FROM_0}, or L or G by layer")
RANK = Kind(lambda value: value == "auto" or _is_size(value), f"{FROM_0}, or auto")
LIMIT = Kind(lambda value: isinstance(value, int | float) and 0 < value < 1e31, NUMBER.advice)
REPEATS = Kind(lambda value: _is_size(value) and value in range(1, 1001), "write a whole number from 1 to 1,000")
SIZE_OR_LIST = Kind(lambda value: _is_size(value) or is_list(value), FROM_0)

ONE_NUMBER = {
    "hidden_size": POSITIVE,
    "num_hidden_layers": POSITIVE,
    "vocab_size": POSITIVE,
    "max_position_embeddings": LENGTH,
}
"""No model has one number for each layer in these fields."""


def _kinds(kind: Kind, names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), kind)


DECODER: Mapping[str, Kind] = {
    **{
        name: ONE_NUMBER.get(ours, SIZES)
        for ours, others in ALIASES.items()
        if ours != "mlp_activation"
        for name in (ours, *others)
    },
    **_kinds(LIMIT, "model_max_length"),  # the name of a tokenizer's limit too, which may be 1e30
    **_kinds(REPEATS, "H_cycles L_cycles loop_num num_layers_per_stack"),
    **_kinds(
        SIZE,
        """
        adapter_rank attention_chunk_size attn_layer_offset attn_layer_period conv_kernel conv_L_cache
        decoder_sparse_step dense_intermediate_size draft_vocab_size expand expert_layer_offset expert_layer_period
        full_attention_interval global_attn_every_n_layers global_head_dim hc_count hc_lowrank hc_mult
        hidden_size_per_layer_input index_head_dim index_n_heads index_topk_freq interleave_moe_layer_step
        intermediate_size_mlp kv_lora_rank layer_group_size linear_conv_kernel_dim linear_key_head_dim
        linear_num_key_heads linear_num_value_heads linear_value_head_dim loop_window_size mamba_conv_kernel
        mamba_d_conv mamba_d_head mamba_d_ssm mamba_d_state mamba_expand mamba_head_dim mamba_headdim mamba_n_groups
        mamba_n_heads mamba_ngroups mamba_num_groups mamba_num_heads mamba_state_dim max_window_layers moe_every_n_layer
        moe_latent_size moe_layer_interval moe_shared_expert_intermediate_size moe_shared_expert_size
        mtp_num_hidden_layers n_groups n_mamba_heads ngram_vocab_size_ratio no_rope_layer_interval num_blocks
        num_global_key_value_heads num_kv_shared_layers num_mem_blocks num_nextn_predict_layers o_groups o_lora_rank
        prefix_dense_intermediate_size q_lora_rank qk_nope_dim qk_nope_head_dim qk_rope_dim qk_rope_head_dim
        rope_head_dim rotary_dim routed_expert_hidden_size share_expert_dim share_q_dim shared_expert_intermediate_size
        shared_expert_size shared_intermediate_size short_conv_kernel_size ssm_state_size state_size swa_head_dim
        swa_num_attention_heads swa_num_key_value_heads swa_v_head_dim target_hidden_size v_channels v_head_dim
        vocab_size_per_layer_input
        """,
    ),
    **_kinds(SIZES, "sliding_window sliding_window_size"),
    **_kinds(PATTERN, "sliding_window_pattern _sliding_window_pattern"),
    **_kinds(LENGTH, "original_max_position_embeddings"),
    **_kinds(SIZE_OR_LIST, "moe_layer_freq"),
    **_kinds(RANK, "mamba_dt_rank time_step_rank"),
    **_kinds(NUMBER, "partial_rotary_factor rotary_pct rotary_emb_fraction rope_pct rope_percentage"),
    **_kinds(
        FLAG,
        """
        add_qkv_bias attention_bias attention_k_eq_v attn_output_gate enable_moe_block mla_use_output_gate multi_query
        new_decoder_architecture qkv_bias tie_word_embeddings use_moe use_qk_norm use_sliding_window
        """,
    ),
    **_kinds(TEXT, "model_type torch_dtype dtype mamba_ssm_dtype mamba_ssm_cache_dtype hybrid_override_pattern"),
    **_kinds(LAYER_NUMBERS, "attn_layer_indices full_attn_idxs mlp_only_layers moe_layer_indices moe_layers"),
    **_kinds(
        LIST,
        """
        attn_type_list block_configs hybrid_layer_pattern is_moe_layer layer_block_types layer_types layers_block_type
        mixer_types mlp_layer_types moe_layer_pattern no_rope_layers
        """,
    ),
    **_kinds(
        OBJECT,
        """
        attention_other_setting audio_config compression_config dual_chunk_attention_config hf_quant_config
        linear_attn_config quantization_config rope_parameters rope_scaling sparse_attention_config vision_config
        """,
    ),
    **dict.fromkeys(TEXT_SECTIONS, OBJECT),
    "architectures": TEXTS,
}
"""Kind by field, in a decoder's section and outside of it."""
TOWER: Mapping[str, Kind] = {
    **_kinds(
        SIZES_ABOVE_0,
        """
        d_model depth embed_dim encoder_attention_heads encoder_ffn_dim encoder_layers head_dim heads hidden_dim
        hidden_size image_size img_size in_channels in_chans init_pos_emb_height init_pos_emb_width intermediate_size
        layers merge_kernel_size merge_size mlp_dim n_head n_layers num_attention_heads num_channels num_heads
        num_hidden_layers num_layers patch_size spatial_merge_size spatial_patch_size temporal_patch_size vt_hidden_size
        vt_intermediate_size vt_num_attention_heads vt_num_hidden_layers
        """,
    ),
    **_kinds(
        SIZES,
        """
        dim_feedforward dim_head feature_size ffn_dim max_source_positions mel_bins num_key_value_heads num_mel_bins
        num_position_embeddings out_hidden_size projector_input_dim projector_output_dim
        """,
    ),
    "width": SIZE_OR_OBJECT,
    **_kinds(NUMBER, "mlp_ratio pixel_shuffle_ratio downsample_ratio"),
    **_kinds(LAYER_NUMBERS, "deepstack_visual_indexes"),
}
"""Kind by field of an encoder's section."""
ROPE: Mapping[str, Kind] = {
    **_kinds(NUMBER, "factor partial_rotary_factor"),
    **_kinds(LENGTH, "original_max_position_embeddings"),
    **_kinds(TEXT, "rope_type type"),
}
LINEAR: Mapping[str, Kind] = {
    **_kinds(SIZE, "head_dim num_heads short_conv_kernel_size"),
    **_kinds(LAYER_NUMBERS, "kda_layers"),
}
QUANTIZATION: Mapping[str, Kind] = {
    **_kinds(TEXT, "quant_method quant_algo kv_cache_quant_algo packing_format checkpoint_format"),
    **_kinds(BITS, "bits w_bit num_bits"),
    **_kinds(GROUP, "group_size"),
    **_kinds(BLOCK, "weight_block_size block_structure"),
    **_kinds(
        TEXTS, "ignore ignored_layers modules_to_not_convert llm_int8_skip_modules exclude_modules exclude targets"
    ),
    **_kinds(OBJECTS, "config_groups extra_config quantized_layers"),
    **_kinds(OBJECT, "weights quantization"),
    **_kinds(FLAG, "sym symmetric load_in_4bit _load_in_4bit zero_point"),
}
ROPE_SECTIONS = ("rope_scaling", "rope_parameters")
QUANTIZATION_SECTIONS = ("quantization_config", "compression_config", "hf_quant_config")


def wrong_fields(section: Mapping[str, Any], *, path: str = "", kinds: Mapping[str, Kind] = DECODER) -> Iterator[str]:
    """Yield each field of another kind, worded to follow `config.json`.

    Args:
        section: The document, or one of its sections.
        path: The section's place in the document, with a dot at its end.
        kinds: The kinds of the section's fields.
    """
    for key, value in section.items():
        kind = kinds.get(key)
        if kind and value is not None and not kind.accepts(value):
            yield f"has {path}{key} {shown(value)}: {kind.advice}{without_quotes(value)}"
        elif is_object(value) and (inner := _kinds_inside(key, kinds)):
            yield from wrong_fields(value, path=f"{path}{key}.", kinds=inner)


def _kinds_inside(key: str, kinds: Mapping[str, Kind]) -> Mapping[str, Kind]:
    """Return the kinds of the fields of an inner section, none if the planner does not read it."""
    if kinds is ROPE or kinds is QUANTIZATION:
        return kinds  # by the type of the layer; by group
    if kinds is not DECODER:
        return {}
    if key in TEXT_SECTIONS or key == "attention_other_setting":
        return DECODER
    if key in ROPE_SECTIONS:
        return ROPE
    if key in QUANTIZATION_SECTIONS:
        return QUANTIZATION
    if key == "linear_attn_config":
        return LINEAR
    return TOWER if any(word in key for word in TOWER_WORDS) else {}


def without_quotes(value: object) -> str:
    """Return additional advice for a number that is written as text."""
    return ", without quotes" if isinstance(value, str) and value.isdecimal() else ""
