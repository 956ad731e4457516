"""Checks of a config.json before anything is computed from it. All errors are reported at once."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vllm_eks.json_values import is_list
from vllm_eks.planner.models.counts import LARGEST_NUMBER, is_count
from vllm_eks.planner.models.families import Family

REQUIRED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings")
REQUIRED_OF_ANY = ("hidden_size", "num_hidden_layers", "vocab_size")
REQUIRED_LATENT = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
REQUIRED_LINEAR = (
    "linear_num_key_heads",
    "linear_num_value_heads",
    "linear_key_head_dim",
    "linear_value_head_dim",
    "linear_conv_kernel_dim",
)
COUNTS = (
    *REQUIRED,
    *REQUIRED_LATENT,
    *REQUIRED_LINEAR,
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "intermediate_size_mlp",
    "moe_intermediate_size",
    "shared_expert_intermediate_size",
    "sliding_window",
    "sliding_window_pattern",
    "max_window_layers",
    "full_attention_interval",
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "n_shared_experts",
    "num_experts_per_tok",
    "first_k_dense_replace",
    "decoder_sparse_step",
    "interleave_moe_layer_step",
    "attention_chunk_size",
    "no_rope_layer_interval",
    "q_lora_rank",
    "index_n_heads",
    "index_head_dim",
    "num_nextn_predict_layers",
    "mtp_num_hidden_layers",
)
"""Fields with a whole number, or without a value."""
PER_LAYER = ("layer_types", "no_rope_layers")
"""Lists with one entry per layer."""
LAYER_NUMBERS = ("moe_layers", "mlp_only_layers")
MAX_LAYERS = 4096
"""Far above any model, so that a typo does not cause hours of computation."""
LONGEST_VALUE = 60
"""Longest part of a value shown in a message, in characters."""


def config_errors(text: Mapping[str, Any], family: Family) -> Iterator[str]:
    """Yield each error in the decoder's part of a config.json, worded to follow `config.json`."""
    missing = _missing(text, family)
    absent = [key for key in missing if text.get(key) is None]
    if absent:
        yield f"needs a whole number above 0 for {', '.join(absent)}"
    for key in missing:
        if key not in absent:
            yield f"has {key} {_shown(text[key])}: write a whole number above 0{_without_quotes(text[key])}"
    for key in COUNTS:
        value = text.get(key)
        if value is None or key in missing:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_NUMBER:
            yield f"has {key} {_shown(value)}: write a whole number from 0 to {LARGEST_NUMBER:,}"
    if not missing and not text.get("head_dim") and text["hidden_size"] < text["num_attention_heads"]:
        yield f"has more attention heads ({text['num_attention_heads']}) than hidden_size ({text['hidden_size']})"
    layers = text.get("num_hidden_layers")
    if not is_count(layers):
        return
    if layers > MAX_LAYERS:
        yield f"has num_hidden_layers {layers}, which is more than any model has"
        return
    yield from _lists(text, layers)


def field_errors(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield each error in fields under our names, for an architecture that no family describes."""
    absent = [key for key in REQUIRED_OF_ANY if not is_count(fields.get(key))]
    if absent:
        yield f"needs a whole number above 0 for {', '.join(absent)}"
    for key in (*COUNTS, *REQUIRED_OF_ANY):
        value = fields.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_NUMBER:
            yield f"has {key} {_shown(value)}: write a whole number from 0 to {LARGEST_NUMBER:,}"
    layers = fields.get("num_hidden_layers")
    if isinstance(layers, int) and layers > MAX_LAYERS:
        yield f"has num_hidden_layers {layers}, which is more than any model has"


def _shown(value: object) -> str:
    """Return a value as JSON, cut if it is long."""
    text = json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _without_quotes(value: object) -> str:
    return ", without quotes" if isinstance(value, str) and value.isdecimal() else ""


def _missing(text: Mapping[str, Any], family: Family) -> list[str]:
    required = REQUIRED
    if family.attention == "latent":
        required += REQUIRED_LATENT
    if family.attention == "hybrid":
        required += REQUIRED_LINEAR
    if not family.mixture:
        required += ("intermediate_size",)
    missing = [key for key in required if not is_count(text.get(key))]
    if family.mixture and not any(is_count(text.get(key)) for key in ("moe_intermediate_size", "intermediate_size")):
        missing.append("moe_intermediate_size")
    return missing


def _lists(text: Mapping[str, Any], layers: int) -> Iterator[str]:
    for key in PER_LAYER:
        value = text.get(key)
        if value and (not is_list(value) or len(value) != layers):
            yield f"has a {key} that is not a list of {layers} entries, one for each layer"
    for key in LAYER_NUMBERS:
        value = text.get(key)
        if value and not (is_list(value) and all(isinstance(item, int) for item in value)):
            yield f"has {key} {value!r}, which is not a list of layer numbers"
