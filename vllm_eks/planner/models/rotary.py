"""The sizes of the rotary tables of a model, from its config.json. memory/rotary.py counts their bytes."""

from collections.abc import Mapping
from typing import Any

from vllm_eks.json_values import is_object
from vllm_eks.planner.models.architecture import RotaryTable
from vllm_eks.planner.models.counts import is_count
from vllm_eks.planner.models.families import Family
from vllm_eks.planner.models.rope import number, rope_parameters, table_rows

NAMED_FACTORS = ("partial_rotary_factor", "rotary_pct", "rotary_emb_fraction")
BYTES_PER_VALUE = 2
"""Tables have the model's dtype. 32-bit checkpoints run in 16 bits."""


def parse_rotary(family: Family, text: Mapping[str, Any]) -> tuple[RotaryTable, ...]:
    """Return the rotary tables of a decoder.

    Args:
        family: The family, for defaults that config.json does not state.
        text: The decoder's section, with `rope_parameters` (transformers 5) or `rope_scaling`.
    """
    limit = int(text["max_position_embeddings"])
    dim = _rotary_dim(family, text)
    value_bytes = 4 if family.rotary_32bit else BYTES_PER_VALUE
    parameters = rope_parameters(text)
    if family.local_rotary:
        full = _section(parameters, "full_attention", parameters)
        local = _section(parameters, "sliding_attention", {})
        return (
            RotaryTable(positions=table_rows(full, limit), dim=dim, value_bytes=value_bytes, layers="full"),
            RotaryTable(positions=table_rows(local, limit), dim=dim, value_bytes=value_bytes, layers="sliding"),
        )
    table = RotaryTable(
        positions=table_rows(parameters, limit) + _chunk_rows(text),
        dim=dim,
        value_bytes=value_bytes,
        is_wide_in_eager=family.attention == "latent" and _is_scaled(parameters),
        repeats_positions=family.image_positions or "mrope_section" in parameters,
    )
    # The sparse indexer needs its own table when it rotates in another order than the attention.
    own_indexer = text.get("index_n_heads") and not text.get("indexer_rope_interleave", family.indexer_interleaves)
    return (table, table) if own_indexer else (table,)


def _is_scaled(parameters: Mapping[str, Any]) -> bool:
    return str(parameters.get("rope_type") or parameters.get("type") or "default") != "default"


def _section(parameters: Mapping[str, Any], name: str, default: Mapping[str, Any]) -> Mapping[str, Any]:
    section: object = parameters.get(name)
    return section if is_object(section) else default


def _rotary_dim(family: Family, text: Mapping[str, Any]) -> int:
    """Return the number of rotated values per head."""
    if family.attention == "latent":
        return int(text["qk_rope_head_dim"])
    if is_count(text.get("rotary_dim")):
        return int(text["rotary_dim"])
    head = int(text.get("head_dim") or int(text["hidden_size"]) // int(text["num_attention_heads"]))
    shares = [number(section.get(name)) for section in (rope_parameters(text), text) for name in NAMED_FACTORS]
    return int(head * next((share for share in shares if share and share <= 1), family.rotary_share))


def _chunk_rows(text: Mapping[str, Any]) -> int:
    """Return the rows that dual chunk attention adds: four tables of one chunk (Qwen2.5-1M, dual_chunk_rope.py)."""
    chunks = text.get("dual_chunk_attention_config")
    if not is_object(chunks):
        return 0
    chunk, local = (int(number(chunks.get(key)) or 0) for key in ("chunk_size", "local_size"))
    return 4 * max(0, chunk - local)
