"""The mixer of each decoder layer, from its kind and the sizes in the config.json."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import list_or_empty, object_or_empty
from vllm_eks.planner.models.counts import count
from vllm_eks.planner.models.from_fields.names import is_attention_free
from vllm_eks.planner.models.from_fields.words import STATE_TYPES
from vllm_eks.planner.models.indexer import has_indexer
from vllm_eks.planner.models.mixers import (
    INDEXED_RATIO,
    Attention,
    Beside,
    CompressedLatent,
    GroupedQuery,
    KimiDelta,
    Latent,
    LayerKind,
    Lightning,
    LinearState,
    Mamba1,
    Mamba2,
    NoMixer,
    ShortConv,
)

GEMMA_4_GLOBAL_HEAD_DIM = 512
"""The value that vLLM's class uses if the config does not state it (models/gemma4.py)."""
MAMBA_HEADS = ("mamba_num_heads", "mamba_n_heads", "n_mamba_heads")
VALUE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def read_mixer(
    fields: Mapping[str, Any], kind: LayerKind, index: int, *, caches_heads: bool = False, where: str
) -> Attention:
    """Return the mixer of layer `index`.

    Args:
        fields: The decoder's fields under our names.
        kind: The layer's kind.
        index: Its number.
        caches_heads: Whether latent attention keeps keys and values of each head in the cache.
        where: The model id or folder, for messages.

    Raises:
        WrongQuestion: A size is missing.
    """
    match kind:
        case "mlp" | "moe":
            return NoMixer()
        case "mamba":
            return _mamba(fields, where)
        case "conv":
            return ShortConv(
                size=count(fields, "hidden_size"), conv_kernel=_needed(fields, "conv_L_cache", where=where)
            )
        case "linear":
            return _linear(fields, where)
        case "beside":
            return Beside(attention=_grouped(fields, kind, index, where), state=_mamba_2(fields, where))
        case "full" | "window" | "chunk":
            if _block_attention(fields, index).get("no_op"):
                return NoMixer()
            if ratios := list_or_empty(fields.get("compress_ratios")):
                return _compressed(fields, ratios[index] if index < len(ratios) else 0, where)
            if is_latent(fields):
                return replace(_latent(fields, index, where), caches_heads=caches_heads)
            return _grouped(fields, kind, index, where)


def is_latent(fields: Mapping[str, Any]) -> bool:
    """Return whether the attention compresses keys and values."""
    return bool(count(fields, "kv_lora_rank") and count(fields, "qk_rope_head_dim"))


def _needed(fields: Mapping[str, Any], *names: str, where: str) -> int:
    found = count(fields, *names)
    if not found:
        raise WrongQuestion(f"{where}: config.json needs a whole number above 0 for {' or '.join(names)}")
    return found


def _state_value_bytes(fields: Mapping[str, Any]) -> int:
    return next((VALUE_BYTES[str(fields[name])] for name in STATE_TYPES if str(fields.get(name)) in VALUE_BYTES), 2)


def _latent(fields: Mapping[str, Any], index: int, where: str) -> Latent:
    nope = count(fields, "qk_nope_head_dim")
    indexed = has_indexer(fields, index)
    return Latent(
        heads=_needed(fields, "num_attention_heads", where=where),
        q_lora_rank=count(fields, "q_lora_rank") or None,
        kv_lora_rank=count(fields, "kv_lora_rank"),
        qk_nope_head_dim=nope,
        qk_rope_head_dim=count(fields, "qk_rope_head_dim"),
        v_head_dim=count(fields, "v_head_dim") or nope,
        index_heads=count(fields, "index_n_heads") if indexed else 0,
        index_head_dim=count(fields, "index_head_dim") if indexed else 0,
        has_output_gate=bool(fields.get("mla_use_output_gate") or fields.get("attn_output_gate")),
    )


def _compressed(fields: Mapping[str, Any], ratio: object, where: str) -> CompressedLatent:
    """Return the attention of a layer of DeepSeek V4."""
    indexed = ratio == INDEXED_RATIO
    return CompressedLatent(
        heads=_needed(fields, "num_attention_heads", where=where),
        head_dim=_needed(fields, "head_dim", where=where),
        rope_dim=_needed(fields, "qk_rope_head_dim", where=where),
        q_lora_rank=_needed(fields, "q_lora_rank", where=where),
        output_groups=_needed(fields, "o_groups", where=where),
        output_rank=_needed(fields, "o_lora_rank", where=where),
        window_tokens=_needed(fields, "sliding_window", where=where),
        ratio=ratio if isinstance(ratio, int) and ratio > 1 else 0,
        index_heads=_needed(fields, "index_n_heads", where=where) if indexed else 0,
        index_head_dim=_needed(fields, "index_head_dim", where=where) if indexed else 0,
        streams=count(fields, "hc_mult") or 1,
    )


def _grouped(fields: Mapping[str, Any], kind: LayerKind, index: int, where: str) -> GroupedQuery:
    """Return the attention of a layer. In some models, layers with a window have their own sizes."""
    slides = kind == "window"
    heads = _needed(fields, "num_attention_heads", where=where)
    # In Falcon and GPT-BigCode, a flag says that all heads share one key and value.
    shared = fields.get("multi_query") is True and not fields.get("new_decoder_architecture")
    kv_heads = 1 if shared else count(fields, "num_key_value_heads") or heads
    # DeepSeek V2 without latent attention (DeepSeek-OCR) does not read head_dim, which is that of its latent attention.
    own_dim = 0 if "qk_nope_head_dim" in fields else count(fields, "head_dim")
    head_dim = own_dim or count(fields, "hidden_size") // heads
    value_dim = count(fields, "v_head_dim", "v_channels")
    if pair := count(fields, "qk_nope_dim"):
        head_dim = pair + count(fields, "qk_rope_dim")
    if shared_by := count(_block_attention(fields, index), "n_heads_in_group"):
        kv_heads = heads // shared_by
    if slides:
        other = object_or_empty(fields.get("attention_other_setting"))
        heads = count(fields, "swa_num_attention_heads") or count(other, "num_attention_heads") or heads
        kv_heads = count(fields, "swa_num_key_value_heads") or count(other, "num_attention_groups") or kv_heads
        head_dim = count(fields, "swa_head_dim") or count(other, "head_dim") or head_dim
        value_dim = count(fields, "swa_v_head_dim") or value_dim
    elif kind == "full" and (dim := _global_head_dim(fields)):
        head_dim = dim
        if fields.get("attention_k_eq_v"):
            kv_heads = count(fields, "num_global_key_value_heads") or kv_heads
    window = count(fields, "sliding_window", "sliding_window_size") if slides else 0
    indexed = _sparse_index(fields, index)
    return GroupedQuery(
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        value_dim=value_dim or None,
        window_tokens=window or None,
        query_rank=count(fields, "share_q_dim"),
        has_output_gate=bool(fields.get("attn_output_gate")),
        index_heads=count(indexed, "sparse_num_index_heads"),
        index_head_dim=count(indexed, "sparse_index_dim"),
        shares_cache=index >= count(fields, "num_hidden_layers") - count(fields, "num_kv_shared_layers"),
    )


def _block_attention(fields: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    """Return the attention of one of DeciLM's blocks."""
    blocks = list_or_empty(fields.get("block_configs"))
    return object_or_empty(object_or_empty(blocks[index]).get("attention")) if index < len(blocks) else {}


def _global_head_dim(fields: Mapping[str, Any]) -> int:
    """Return the head size of Gemma 4's layers with full attention, or 0 for other models."""
    is_gemma = str(fields.get("model_type")).startswith(("gemma4", "diffusion_gemma"))
    return count(fields, "global_head_dim") or (GEMMA_4_GLOBAL_HEAD_DIM if is_gemma else 0)


def _sparse_index(fields: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    """Return the section of the block-sparse indexer if the layer has one (MiniMax M3)."""
    section = object_or_empty(fields.get("sparse_attention_config"))
    marks = list_or_empty(section.get("sparse_attention_freq"))
    return section if index < len(marks) and marks[index] else {}


def _linear(fields: Mapping[str, Any], where: str) -> LinearState | KimiDelta | Lightning | Mamba2:
    kimi = object_or_empty(fields.get("linear_attn_config"))
    if count(kimi, "head_dim", "num_heads"):
        return KimiDelta(
            heads=_needed(kimi, "num_heads", where=where),
            head_dim=_needed(kimi, "head_dim", where=where),
            conv_kernel=count(kimi, "short_conv_kernel_size") or 4,
            has_full_rank_gate=bool(kimi.get("use_full_rank_gate")),
            saves_checkpoints=kimi.get("gate_lower_bound") is not None,
        )
    if count(fields, "linear_num_value_heads"):
        return LinearState(
            key_heads=_needed(fields, "linear_num_key_heads", where=where),
            value_heads=_needed(fields, "linear_num_value_heads", where=where),
            key_head_dim=_needed(fields, "linear_key_head_dim", where=where),
            value_head_dim=_needed(fields, "linear_value_head_dim", where=where),
            conv_kernel=count(fields, "linear_conv_kernel_dim") or 4,
            state_value_bytes=_state_value_bytes(fields),
        )
    if count(fields, *MAMBA_HEADS):
        return _mamba_2(fields, where)  # transformers 5 calls Mamba layers "linear_attention"
    heads = _needed(fields, "num_attention_heads", where=where)
    head_dim = count(fields, "head_dim") or count(fields, "hidden_size") // heads
    if kernel := count(fields, "short_conv_kernel_size"):
        return KimiDelta(
            heads=heads, head_dim=head_dim, conv_kernel=kernel, has_full_rank_gate=True, has_full_rank_decay=True
        )
    return Lightning(heads=heads, head_dim=head_dim, state_value_bytes=2)


def _mamba(fields: Mapping[str, Any], where: str) -> Mamba1 | Mamba2:
    """Return a Mamba layer: the second kind has heads."""
    is_own_model = str(fields.get("model_type")) == "mamba2"
    if is_own_model or count(fields, "mamba_num_heads", "mamba_n_heads"):
        return _mamba_2(fields, where)
    hidden = count(fields, "hidden_size")
    size = count(fields, "mamba_expand", "expand") * hidden or count(fields, "intermediate_size")
    if is_attention_free(fields):
        size = count(fields, "intermediate_size") or size
    return Mamba1(
        size=size,
        state_size=_needed(fields, "mamba_d_state", "state_size", where=where),
        conv_kernel=_needed(fields, "mamba_d_conv", "conv_kernel", where=where),
        time_step_rank=count(fields, "mamba_dt_rank", "time_step_rank") or -(-hidden // 16),
        state_value_bytes=_state_value_bytes(fields),
    )


def _mamba_2(fields: Mapping[str, Any], where: str) -> Mamba2:
    own = str(fields.get("model_type")) == "mamba2"
    of_heads, of_dim = (("num_attention_heads",), ("head_dim",)) if own else ((), ())
    heads = _needed(fields, *MAMBA_HEADS, *of_heads, where=where)
    size = count(fields, "mamba_d_ssm") or count(fields, "mamba_expand", "expand") * count(fields, "hidden_size")
    head_dim = count(fields, "mamba_head_dim", "mamba_d_head", "mamba_headdim", *of_dim) or size // heads
    return Mamba2(
        heads=heads,
        head_dim=head_dim,
        groups=count(fields, "mamba_n_groups", "n_groups", "mamba_num_groups", "mamba_ngroups") or 1,
        state_size=_needed(fields, "ssm_state_size", "mamba_d_state", "mamba_state_dim", "state_size", where=where),
        conv_kernel=count(fields, "conv_kernel", "mamba_d_conv", "mamba_conv_kernel") or 4,
        state_value_bytes=_state_value_bytes(fields),
    )
