"""Checks of a config.json before anything is computed from it. All errors are reported at once."""

from collections.abc import Iterator, Mapping
from typing import Any

from vllm_eks.json_values import is_list, list_or_empty, shown
from vllm_eks.planner.models.counts import count, is_count
from vllm_eks.planner.models.families import Family
from vllm_eks.planner.models.field_kinds import DECODER, POSITIVE, SIZE, wrong_fields
from vllm_eks.planner.models.mixers import LAYER_WORDS

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
"""Fields with one whole number in families, or without a value."""
PER_LAYER = ("layer_types", "no_rope_layers")
"""Lists with one entry per layer."""
MAX_LAYERS = 4096
"""Far above any model, so that a typo does not cause hours of computation."""


def config_errors(config: Mapping[str, Any], text: Mapping[str, Any], family: Family) -> Iterator[str]:
    """Yield each error in a config.json, worded to follow `config.json`.

    Args:
        config: The whole document.
        text: Its decoder's part.
        family: The family of its architecture.
    """
    yield from wrong_fields(config)
    missing = _missing(text, family)
    absent = [key for key in missing if text.get(key) is None]
    if absent:
        yield f"needs a whole number above 0 for {', '.join(absent)}"
    for key in missing:
        if key not in absent and DECODER[key].accepts(text[key]):
            yield f"has {key} {shown(text[key])}: {POSITIVE.advice}"
    for key in COUNTS:
        if key not in missing and isinstance(text.get(key), list | str) and DECODER[key].accepts(text[key]):
            yield f"has {key} {shown(text[key])}: {SIZE.advice}"
    if not missing and _has_too_many_heads(text):
        yield f"has more attention heads ({text['num_attention_heads']}) than hidden_size ({text['hidden_size']})"
    layers = text.get("num_hidden_layers")
    if not is_count(layers):
        return
    if layers > MAX_LAYERS:
        yield f"has num_hidden_layers {layers}, which is more than any model has"
        return
    yield from _lists(text, layers)


def field_errors(config: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield each error in a config.json with an architecture that no family describes.

    Args:
        config: The whole document.
        fields: The fields of its decoder under our names.
    """
    wrong = list(wrong_fields(config))
    yield from wrong
    absent = [key for key in REQUIRED_OF_ANY if not is_count(fields.get(key))]
    if absent and not wrong:
        yield f"needs a whole number above 0 for {', '.join(absent)}"
    layers = fields.get("num_hidden_layers")
    if is_count(layers) and layers > MAX_LAYERS:
        yield f"has num_hidden_layers {layers}, which is more than any model has"
    if not absent and _has_too_many_heads(fields):
        yield f"has more attention heads ({fields['num_attention_heads']}) than hidden_size ({fields['hidden_size']})"


def _has_too_many_heads(text: Mapping[str, Any]) -> bool:
    return not text.get("head_dim") and count(text, "hidden_size") < count(text, "num_attention_heads")


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
        if is_list(value) and value and len(value) != layers:
            yield f"has a {key} of {len(value)} entries: write one for each of its {layers} layers"
    words = list_or_empty(text.get("layer_types"))
    if unknown := sorted({shown(word) for word in words if not isinstance(word, str) or word not in LAYER_WORDS}):
        yield f"has layer_types {', '.join(unknown)}: write one of {', '.join(sorted(LAYER_WORDS))}"
