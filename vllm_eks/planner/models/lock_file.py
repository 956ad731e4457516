"""The lock file of `vllm-eks lock`: config fields, bytes by part, commit, and the source of each."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from vllm_eks.json_values import is_object, list_or_empty, object_or_empty
from vllm_eks.planner.models.families import FAMILIES
from vllm_eks.planner.models.quantization_config import SEPARATE_QUANTIZATION
from vllm_eks.planner.models.tensors import SortedTensors
from vllm_eks.planner.models.vision import MISTRAL_FORMAT

TEXT_FIELDS = tuple(
    """
    model_type torch_dtype dtype hidden_size intermediate_size intermediate_size_mlp moe_intermediate_size
    shared_expert_intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim vocab_size
    max_position_embeddings tie_word_embeddings attention_bias use_qk_norm sliding_window use_sliding_window
    max_window_layers sliding_window_pattern layer_types full_attention_interval linear_conv_kernel_dim
    linear_key_head_dim linear_value_head_dim linear_num_key_heads linear_num_value_heads mamba_ssm_dtype
    attn_output_gate num_local_experts num_experts n_routed_experts n_shared_experts num_experts_per_tok
    first_k_dense_replace moe_layer_freq decoder_sparse_step mlp_only_layers moe_layers interleave_moe_layer_step
    attention_chunk_size no_rope_layers no_rope_layer_interval q_lora_rank kv_lora_rank qk_nope_head_dim
    qk_rope_head_dim v_head_dim index_head_dim index_n_heads index_topk_freq index_topk_pattern
    index_skip_topk_offset indexer_types num_nextn_predict_layers mtp_num_hidden_layers
    rope_theta rope_scaling rope_parameters partial_rotary_factor rotary_pct rotary_emb_fraction rotary_dim
    indexer_rope_interleave dual_chunk_attention_config original_max_position_embeddings
    model_max_length max_seq_len seq_length max_sequence_length
    """.split()
)
"""The fields of a decoder that config_json.py reads."""
TELLS_NO_SIZE = ("token_id", "token_index", "id2label", "label2id", "auto_map", "_name_or_path", "transformers_version")
"""Suffixes of field names that determine no size."""
VISION_FIELDS = tuple(
    """
    model_type hidden_size intermediate_size num_hidden_layers num_attention_heads depth num_heads image_size
    patch_size num_channels in_channels pixel_shuffle_ratio projector_input_dim projector_output_dim
    spatial_merge_size temporal_patch_size out_hidden_size num_position_embeddings deepstack_visual_indexes
    vt_hidden_size vt_intermediate_size vt_num_hidden_layers vt_num_attention_heads merge_kernel_size
    init_pos_emb_height init_pos_emb_width
    """.split()
)
"""The fields of a vision tower that vision.py reads."""


def config_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a config.json that the planner reads, with their names and nesting.

    An architecture without a family row is read from any field, so all fields that may determine a size are kept.
    """
    names = list_or_empty(config.get("architectures"))
    if not names or names[0] not in FAMILIES:
        return {key: kept for key, value in config.items() if (kept := _kept(key, value)) is not None}
    facts: dict[str, Any] = {"architectures": config.get("architectures"), **_pick(config, TEXT_FIELDS)}
    for section, fields in (("text_config", TEXT_FIELDS), ("vision_config", VISION_FIELDS)):
        if is_object(found := config.get(section)):
            facts[section] = _pick(found, fields)
    text = object_or_empty(config.get("text_config"))
    if config.get(MISTRAL_FORMAT):
        facts[MISTRAL_FORMAT] = True
    for key in ("quantization_config", SEPARATE_QUANTIZATION, "compression_config"):
        if config.get(key) or text.get(key):
            facts[key] = config.get(key) or text[key]
    return facts


def _kept(key: str, value: object) -> object:
    """Return a value without labels, token ids, nulls and infinity, or None if nothing in it determines a size."""
    if key.endswith(TELLS_NO_SIZE):
        return None
    if is_object(value):
        return {name: kept for name, one in value.items() if (kept := _kept(name, one)) is not None} or None
    unbounded = any(isinstance(one, float) and not isfinite(one) for one in (list_or_empty(value) or [value]))
    return None if unbounded or value in ([], "") else value


def _pick(section: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {key: section[key] for key in fields if section.get(key) not in (None, [])}


def lock_document(
    model_id: str, commit: str, *, gated: bool, config: Mapping[str, Any], tensors: SortedTensors, endpoint: str
) -> dict[str, Any]:
    """Return the content of the lock file."""
    place = f"{endpoint}/{model_id} at {commit}"
    return {
        "id": model_id,
        "revision": commit,
        "gated": gated,
        "weights_source": "headers",
        "weights_bytes": tensors.weights_bytes,
        "parts": tensors.parts,
        "config": config_facts(config),
        "sources": {
            "config": f"config.json of {place}",
            "gated": f"model information of {place}",
            "revision": "looked up by vllm-eks lock",
            "weights": f"safetensors headers of {place}",
        },
    }


def write_lock(path: Path, document: Mapping[str, Any]) -> None:
    """Write a lock file atomically, and create its folder if needed."""
    text = json.dumps(document, indent=1)
    # Lists of numbers or names are easier to read and compare on one line.
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda match: "[" + re.sub(r"\s*\n\s*", " ", match[1]) + "]", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text + "\n")
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
