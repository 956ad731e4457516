"""Parses a Hugging Face config.json, of a locked model or a folder, into an Architecture."""

from collections.abc import Mapping
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, list_or_empty, object_or_empty
from vllm_eks.planner.models.architecture import Architecture, Experts
from vllm_eks.planner.models.config_checks import config_errors
from vllm_eks.planner.models.counts import is_count
from vllm_eks.planner.models.families import FAMILIES, Family
from vllm_eks.planner.models.indexer import has_indexer
from vllm_eks.planner.models.mixers import Attention, GroupedQuery, Latent, LinearState
from vllm_eks.planner.models.quantization_config import parse_quantization
from vllm_eks.planner.models.rope import context_limits
from vllm_eks.planner.models.rotary import parse_rotary
from vllm_eks.planner.models.vision import parse_vision

GEMMA_3_PATTERN = 6
"""Every sixth layer of Gemma 3 has full attention (transformers Gemma3TextConfig, sliding_window_pattern)."""
HYBRID_INTERVAL = 4
"""Every fourth layer of Qwen3-Next and Qwen3.5 has full attention (full_attention_interval)."""
LLAMA_4_GLOBAL_INTERVAL = 4
"""Every fourth layer of Llama 4 is global (transformers Llama4TextConfig, no_rope_layer_interval)."""
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


class UnknownArchitecture(WrongQuestion):
    """config.json names no architecture."""

    def __init__(self, where: str) -> None:
        super().__init__(f'{where}: config.json has no "architectures", such as ["LlamaForCausalLM"]')


def parse_config(config: Mapping[str, Any], *, where: str) -> Architecture:
    """Return the architecture that a config.json describes.

    Args:
        config: The whole document. Multimodal models keep the decoder under `text_config`.
        where: The model id or folder, for messages.

    Raises:
        UnknownArchitecture: The config names no architecture.
        WrongQuestion: Fields are missing or not whole numbers. The message lists all of them.
    """
    names = config.get("architectures")
    name = str(names[0]) if is_list(names) and names else None
    if name is None:
        raise UnknownArchitecture(where)
    family = FAMILIES.get(name)
    if family is None:
        # Imported here, because reading a family needs none of it, and it takes a tenth of the time of a plan.
        from vllm_eks.planner.models.from_fields.reader import read_fields

        return read_fields(config, name, where=where)
    text: dict[str, Any] = {**config, **object_or_empty(config.get("text_config"))}
    errors = list(config_errors(config, text, family))
    if errors:
        raise WrongQuestion(f"{where}: config.json {'; it '.join(errors)}")
    heads, layers = int(text["num_attention_heads"]), int(text["num_hidden_layers"])
    experts = _experts(family, text, where)
    moe_layers = _moe_layers(family, text, layers) if experts else frozenset[int]()
    attention = tuple(_attention(family, text, index) for index in range(layers))
    context, older_context = context_limits(
        text, model_type=str(text.get("model_type") or config.get("model_type") or "")
    )
    return Architecture(
        name=name,
        hidden_size=int(text["hidden_size"]),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=int(text.get("num_key_value_heads") or heads),
        head_dim=_head_dim(text),
        vocab_size=int(text["vocab_size"]),
        intermediate_size=_dense_size(family, text) if len(moe_layers) < layers else 0,
        context_tokens=context,
        older_context_tokens=older_context,
        tie_word_embeddings=_has_tied_embeddings(config, text, family),
        has_qkv_bias=family.qkv_bias or bool(text.get("attention_bias", False)),
        norm_values_per_layer=_norm_values(family, text),
        dtype=str(text.get("torch_dtype") or text.get("dtype") or "bfloat16"),
        attention=attention,
        experts=experts,
        moe_layers=moe_layers,
        rotary_tables=parse_rotary(family, text),
        vision=parse_vision(config, family.vision, where=where),
        quantization=parse_quantization({**text, **config}),
        expert_module=f"{family.mlp_module}.experts",
        draft_layers=int(text.get("num_nextn_predict_layers") or text.get("mtp_num_hidden_layers") or 0),
        since=family.since,
        chunk_tokens=int(text.get("attention_chunk_size") or 0) or None if family.chunked_attention else None,
        unchunked_layers=_global_layers(text, layers) if family.chunked_attention else frozenset(),
        embedding_everywhere=family.embedding_everywhere,
        head_everywhere=family.head_everywhere,
        has_prefix_images=family.prefix_images,
    )


def _head_dim(text: Mapping[str, Any]) -> int:
    return int(text.get("head_dim") or int(text["hidden_size"]) // int(text["num_attention_heads"]))


def _dense_size(family: Family, text: Mapping[str, Any]) -> int:
    # Llama 4 has intermediate_size_mlp for its dense layers, and intermediate_size is the size of an expert.
    return int(text.get("intermediate_size_mlp") or text.get("intermediate_size") or 0)


def _has_tied_embeddings(config: Mapping[str, Any], text: Mapping[str, Any], family: Family) -> bool:
    """Return whether embedding and head are one tensor. The outer config's setting has priority over the decoder's."""
    setting: object = config.get("tie_word_embeddings", text.get("tie_word_embeddings"))
    return family.ties_by_default if setting is None else bool(setting)


def _norm_values(family: Family, text: Mapping[str, Any]) -> int:
    values = family.norms * int(text["hidden_size"])
    heads = int(text["num_attention_heads"])
    kv_heads = int(text.get("num_key_value_heads") or heads)
    if family.qk_norm == "head" or (text.get("use_qk_norm") is True and family.qk_norm == "none"):
        values += 2 * _head_dim(text)
    elif family.qk_norm == "projection":
        values += (heads + kv_heads) * _head_dim(text)
    return values


def _attention(family: Family, text: Mapping[str, Any], index: int) -> Attention:
    if family.attention == "latent":
        return Latent(
            heads=int(text["num_attention_heads"]),
            q_lora_rank=int(text["q_lora_rank"]) if text.get("q_lora_rank") else None,
            kv_lora_rank=int(text["kv_lora_rank"]),
            qk_nope_head_dim=int(text["qk_nope_head_dim"]),
            qk_rope_head_dim=int(text["qk_rope_head_dim"]),
            v_head_dim=int(text["v_head_dim"]),
            index_heads=int(text.get("index_n_heads") or 0) if has_indexer(text, index) else 0,
            index_head_dim=int(text.get("index_head_dim") or 0) if has_indexer(text, index) else 0,
        )
    if family.attention == "hybrid" and not _is_full(text, index):
        return LinearState(
            key_heads=int(text["linear_num_key_heads"]),
            value_heads=int(text["linear_num_value_heads"]),
            key_head_dim=int(text["linear_key_head_dim"]),
            value_head_dim=int(text["linear_value_head_dim"]),
            conv_kernel=int(text["linear_conv_kernel_dim"]),
            state_value_bytes=DTYPE_BYTES.get(str(text.get("mamba_ssm_dtype")), 2),
        )
    heads = int(text["num_attention_heads"])
    return GroupedQuery(
        heads=heads,
        kv_heads=int(text.get("num_key_value_heads") or heads),
        head_dim=_head_dim(text),
        window_tokens=_window(family, text, index),
        has_output_gate=family.attention == "hybrid" and bool(text.get("attn_output_gate", True)),
    )


def _is_full(text: Mapping[str, Any], index: int) -> bool:
    kinds = text.get("layer_types")
    if kinds:
        return kinds[index] == "full_attention"
    return (index + 1) % int(text.get("full_attention_interval") or HYBRID_INTERVAL) == 0


def _global_layers(text: Mapping[str, Any], layers: int) -> frozenset[int]:
    """Return Llama 4's layers without rotary embedding, which have full attention: every fourth by default."""
    marks = text.get("no_rope_layers")
    if is_list(marks) and len(marks) == layers:
        return frozenset(index for index, has_rope in enumerate(marks) if not has_rope)
    interval = int(text.get("no_rope_layer_interval") or LLAMA_4_GLOBAL_INTERVAL)
    return frozenset(index for index in range(layers) if (index + 1) % interval == 0)


def _window(family: Family, text: Mapping[str, Any], index: int) -> int | None:
    """Return the sliding window of a layer, or None for full attention."""
    window = text.get("sliding_window")
    if family.window == "none" or not is_count(window) or text.get("use_sliding_window") is False:
        return None
    kinds = text.get("layer_types")
    if kinds:
        slides = kinds[index] == "sliding_attention"
    elif family.window == "pattern":
        slides = (index + 1) % int(text.get("sliding_window_pattern") or GEMMA_3_PATTERN) != 0
    elif family.window == "every other":
        slides = index % 2 == 0
    else:
        slides = index >= int(text.get("max_window_layers") or 0) if "use_sliding_window" in text else True
    # vLLM keeps a window that is longer than the context (Phi-4-mini), which takes one block more than full attention.
    return int(window or 0) if slides else None


def _experts(family: Family, text: Mapping[str, Any], where: str) -> Experts | None:
    if not family.mixture:
        return None
    keys = ("n_routed_experts", "num_local_experts", "num_experts")
    count = next((text[key] for key in keys if is_count(text.get(key))), None)
    if count is None:
        raise WrongQuestion(f"{where}: config.json needs a whole number above 0 for one of {', '.join(keys)}")
    size = int(text.get("moe_intermediate_size") or text["intermediate_size"])
    shared = {
        "none": 0,
        "same size": size,
        "own size": int(text.get("shared_expert_intermediate_size") or 0),
        "n_shared_experts": size * int(text.get("n_shared_experts") or 0),
    }[family.default_shared_experts]
    return Experts(
        count=int(count),
        per_token=int(text.get("num_experts_per_tok") or 1),
        intermediate_size=size,
        shared_intermediate_size=shared,
        has_bias=family.expert_bias,
        has_wide_router=family.router_32bit,
    )


def _moe_layers(family: Family, text: Mapping[str, Any], layers: int) -> frozenset[int]:
    """Return the layers with experts: all, except the first ones or those in between in some families."""
    if marked := list_or_empty(text.get("moe_layers")):
        return frozenset(index for index in marked if isinstance(index, int))
    if "interleave_moe_layer_step" in text:
        step = int(text.get("interleave_moe_layer_step") or 1)
        return frozenset(index for index in range(layers) if (index + 1) % step == 0)
    first_dense = int(text.get("first_k_dense_replace") or 0)
    frequency = int(text.get("moe_layer_freq") or 1) if isinstance(text.get("moe_layer_freq"), int) else 1
    dense_only = {int(index) for index in text.get("mlp_only_layers") or ()}
    step = int(text.get("decoder_sparse_step") or 1)
    return frozenset(
        index
        for index in range(layers)
        if index >= first_dense and index % frequency == 0 and index not in dense_only and (index + 1) % step == 0
    )
