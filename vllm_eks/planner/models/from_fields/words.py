"""The names of sections and fields in config.json files, which name the same thing in many ways."""

from collections.abc import Mapping
from typing import Literal, get_args

TEXT_SECTIONS = (
    "text_config",
    "llm_config",
    "language_config",
    "thinker_config",
    "lm_config",
    "decoder_config",
    "text_model_config",
    "decoder",
    "transf_decoder",
    "config_dict",
    "config",
    "text",
)
"""Where multimodal models keep the decoder. They may be nested (thinker_config.text_config)."""
INNER_SECTIONS = ("attn_config", "ffn_config", "moe")
"""Sections with a part of the decoder's fields (Dbrx, Moondream 3)."""
TOWER_WORDS = ("vision", "visual", "vit", "audio", "speech", "sound", "encoder_config", "image_encoder")
"""A section whose name has one of these words is a tower, if it has layers and a size."""
ALIASES: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("n_embd", "d_model", "dim", "model_dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers", "decoder_layers"),
    "num_attention_heads": ("n_head", "n_heads", "num_heads", "decoder_attention_heads"),
    "num_key_value_heads": (
        "num_kv_heads",
        "n_head_kv",
        "n_kv_heads",
        "kv_n_heads",
        "multi_query_group_num",
        "num_attention_groups",
        "num_query_groups",
    ),
    "head_dim": ("kv_channels", "attention_head_dim", "head_size", "hidden_size_per_head"),
    "intermediate_size": ("ffn_hidden_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "d_ff", "inner_size", "ff_dim"),
    "vocab_size": ("padded_vocab_size", "n_vocab"),
    "max_position_embeddings": (
        "n_positions",
        "max_seq_len",
        "seq_length",
        "max_sequence_length",
        "n_ctx",
        "max_target_positions",
        "model_max_length",
        "max_context",
    ),
    "num_experts": (
        "n_routed_experts",
        "num_local_experts",
        "moe_num_experts",
        "num_routed_experts",
        "num_moe_experts",
        "n_experts",
    ),
    "num_experts_per_tok": (
        "num_experts_per_token",
        "top_k_experts",
        "moe_top_k",
        "moe_topk",
        "moe_k",
        "num_experts_per_topk",
        "experts_per_token",
    ),
    "moe_intermediate_size": (
        "expert_ffn_hidden_size",
        "moe_ffn_hidden_size",
        "expert_intermediate_size",
        "expert_ffn_dim",
        "expert_inner_dim",
    ),
    "n_shared_experts": ("num_shared_experts", "moe_num_shared_experts", "num_shared_expert"),
    "first_k_dense_replace": (
        "num_dense_layers",
        "moe_layer_start_index",
        "n_dense_layers",
        "moe_first_k_dense",
        "start_layer",
    ),
    "mlp_activation": ("mlp_hidden_act", "hidden_act", "hidden_activation", "activation_function", "activation"),
}
"""Our name for a field -> other names, the most usual first. A field under our name wins."""
Repeats = Literal["halves", "loops", "cycles", "shared"]
"""`halves`: a layer has two attentions and two MLPs beside its experts (LongCat). `loops`: all layers run several
times, and see a window from the second time on (IQuest Loop). `cycles`: two stacks run in turn (HRM). `shared`: some
layers also run one of a few attention blocks that they share (Zamba 2)."""
REPEATS: tuple[Repeats, ...] = get_args(Repeats)
STATE_TYPES = ("mamba_ssm_cache_dtype", "mamba_ssm_dtype")
"""Fields with the type of a state."""
MOST_TOKENS_PER_IMAGE = 16_384
