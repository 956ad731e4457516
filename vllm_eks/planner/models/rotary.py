"""Rotary tables: the cosines and sines of every position, whole on each GPU of each stage, whatever --max-model-len is.

vLLM makes them when it makes the model (model_executor/layers/rotary_embedding, `get_rope`, read in 0.21, 0.27 and
0.32): one table for each set of rope parameters, which all layers with these parameters share. They are buffers, so
they are in no checkpoint, and vLLM logs them with the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vllm_eks.planner.models.architecture import RotaryTable
from vllm_eks.planner.models.config_checks import LARGEST_NUMBER, is_count
from vllm_eks.planner.models.families import Family

STRETCHED = ("yarn", "deepseek_yarn")
"""Scalings whose table runs over original_max_position_embeddings x factor."""
NAMED_FACTORS = ("partial_rotary_factor", "rotary_pct", "rotary_emb_fraction")
BYTES_PER_VALUE = 2
"""Tables have the model's dtype; 32-bit checkpoints run in 16 bits."""


@dataclass(frozen=True, kw_only=True)
class _Positions:
    """What one set of rope parameters says of its table."""

    kind: str
    factor: float
    original: int


def parse_rotary(family: Family, text: Mapping[str, Any]) -> tuple[RotaryTable, ...]:
    """Return the rotary tables of a decoder's config.json; none where the family has no rotary embedding.

    Args:
        family: For what config.json leaves unsaid.
        text: The decoder's section, with `rope_parameters` (transformers 5) or `rope_scaling`.
    """
    limit = int(text["max_position_embeddings"])
    dim = _rotary_dim(family, text)
    value_bytes = 4 if family.rotary_32bit else BYTES_PER_VALUE
    said = _parameters(text)
    if family.local_rotary:
        full, local = _section(said, "full_attention", said), _section(said, "sliding_attention", {})
        return (
            RotaryTable(positions=_rows(full, limit), dim=dim, value_bytes=value_bytes, layers="full"),
            RotaryTable(positions=_rows(local, limit), dim=dim, value_bytes=value_bytes, layers="sliding"),
        )
    table = RotaryTable(
        positions=_rows(said, limit) + _chunk_rows(text),
        dim=dim,
        value_bytes=value_bytes,
        repeats_positions=family.image_positions or "mrope_section" in said,
    )
    # The sparse indexer rotates in another order, unless the config says the same: a second key, a second table.
    own_indexer = text.get("index_n_heads") and not text.get("indexer_rope_interleave", family.indexer_interleaves)
    return (table, table) if own_indexer else (table,)


def _parameters(text: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the rope parameters as the config says them, under either name; empty where it says none.

    Phi 3 says beside them what was the original length.
    """
    beside = {key: text[key] for key in ("original_max_position_embeddings",) if key in text}
    for key in ("rope_parameters", "rope_scaling"):
        if isinstance(text.get(key), Mapping):
            return {**beside, **text[key]}
    return {}


def _section(said: Mapping[str, Any], name: str, otherwise: Mapping[str, Any]) -> Mapping[str, Any]:
    return said[name] if isinstance(said.get(name), Mapping) else otherwise


def _rotary_dim(family: Family, text: Mapping[str, Any]) -> int:
    """Return how many values of a head are rotated."""
    if family.attention == "latent":
        return int(text["qk_rope_head_dim"])
    if is_count(text.get("rotary_dim")):
        return int(text["rotary_dim"])
    head = int(text.get("head_dim") or int(text["hidden_size"]) // int(text["num_attention_heads"]))
    said = [_number(section.get(name)) for section in (_parameters(text), text) for name in NAMED_FACTORS]
    return int(head * next((share for share in said if share and share <= 1), family.rotary_share))


def _rows(said: Mapping[str, Any], limit: int) -> int:
    """Return the rows of a table: the model's positions, stretched as its kind of scaling does."""
    found = _positions(said, limit)
    if found.kind in STRETCHED:
        return round(found.original * found.factor)
    if found.kind == "linear":
        return round(limit * found.factor)
    if found.kind in ("longrope", "su"):
        return limit + found.original  # the short and the long table, one after the other
    return limit


def _positions(said: Mapping[str, Any], limit: int) -> _Positions:
    return _Positions(
        kind=str(said.get("rope_type") or said.get("type") or "default"),
        factor=_number(said.get("factor")) or 1.0,
        original=int(_number(said.get("original_max_position_embeddings")) or limit),
    )


def _number(value: object) -> float | None:
    """Return a JSON value that a table can be sized with as a number, None for any other."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LARGEST_NUMBER:
        return float(value)
    return None


def _chunk_rows(text: Mapping[str, Any]) -> int:
    """Return the rows that dual chunk attention adds: four tables of one chunk (Qwen2.5-1M, dual_chunk_rope.py)."""
    chunks = text.get("dual_chunk_attention_config")
    if not isinstance(chunks, Mapping):
        return 0
    chunk, local = (int(_number(chunks.get(key)) or 0) for key in ("chunk_size", "local_size"))
    return 4 * max(0, chunk - local)
