"""The words in tensor names by which tensors.py sorts them, because checkpoints name the same part in many ways."""

import re

TOWER = re.compile(
    r"visual|vision\w*|vit\w*|vpm|audio\w*|speech\w*|sound\w*|image_\w+|resampler|connector|\w*projector|aligner|"
    r"\w*merger|mlp1|\w*adapter|merging_layer|embed_vision|embed_audio"
)
"""Words of a tensor's name that put it into a vision or audio tower, or between a tower and the decoder."""
LAYERS = {"layers", "h", "blocks", "layer"}
EMBEDDINGS = {
    "embed_tokens",
    "wte",
    "word_embeddings",
    "tok_embeddings",
    "embed_in",
    "embedding",
    "embeddings",
    "embed_tokens_per_layer",
}
HEADS = {"lm_head", "embed_out", "output_layer", "output"}
FINAL = {"norm", "final_layernorm", "norm_f", "ln_f", "final_layer_norm"}
FUSED = {"qkv_proj", "query_key_value", "qkv", "Wqkv", "c_attn", "W_pack", "wqkv"}
QUERY_OUTPUT = {
    "q_proj",
    "o_proj",
    "q_b_proj",
    "kv_b_proj",
    "out_proj",
    "conv1d",
    "query",
    "wq",
    "wo",
    "x_proj",
    "dt_proj",
}
KEY_VALUE = {"k_proj", "v_proj", "key", "value", "wk", "wv"}
MLP = {
    "gate_proj",
    "up_proj",
    "down_proj",
    "gate_up_proj",
    "w1",
    "w2",
    "w3",
    "fc1",
    "fc2",
    "c_fc",
    "c_proj",
    "dense_h_to_4h",
    "dense_4h_to_h",
    "shared_mlp",
}
STACKED_EXPERTS = {"input_linear", "output_linear"}
"""Granite's experts, all in one tensor."""
REPLICATED = {
    "gate",
    "router",
    "shared_expert_gate",
    "q_a_proj",
    "kv_a_proj_with_mqa",
    "indexer",
    "sinks",
    "A_log",
    "D",
    "dt_bias",
    "rotary_emb",
    "e_score_correction_bias",
    "ln_1",
    "ln_2",
}
