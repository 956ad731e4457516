"""The rotary tables of a decoder that is read from fields: one for each set of rope parameters and size."""

from collections.abc import Mapping
from typing import Any, Literal

from vllm_eks.json_values import is_list, is_object
from vllm_eks.planner.models.architecture import RotaryTable
from vllm_eks.planner.models.counts import count
from vllm_eks.planner.models.from_fields.traits import Traits
from vllm_eks.planner.models.mixers import Attention, Beside, CompressedLatent, GroupedQuery, Latent
from vllm_eks.planner.models.rope import rope_parameters, table_rows

OTHER_BASES = ("swa_rope_theta", "rope_local_base_freq", "local_rope_theta", "rope_theta_local", "sliding_rope_theta")
"""Fields with the base of layers with a window, which gives them their own table."""
LAYER_TYPES = ("full_attention", "sliding_attention")
IMAGE_POSITIONS_FACTOR = 4
"""Multimodal tables hold four times as many positions, for videos (mrope.py), with a few classes as exceptions."""
SHARES = ("partial_rotary_factor", "rotary_pct", "rotary_emb_fraction", "rope_pct", "rope_percentage")


def read_tables(fields: Mapping[str, Any], attention: tuple[Attention, ...], traits: Traits) -> tuple[RotaryTable, ...]:
    """Return the rotary tables, none for a decoder without attention or with learned positions."""
    attending = [one.attention if isinstance(one, Beside) else one for one in attention]
    heads = [one for one in attending if isinstance(one, GroupedQuery | Latent)]
    compressed = next((one for one in attention if isinstance(one, CompressedLatent)), None)
    if compressed:
        return _tables_of_compressed(fields, compressed)
    if not heads or not traits.has_rotary:
        return ()
    limit, parameters = int(fields["max_position_embeddings"]), rope_parameters(fields)
    full = next((one for one in heads if not _slides(one)), None)
    local = next((one for one in heads if _slides(one)), None)
    own = {
        name: parameters[name] for name in ("full_attention", "sliding_attention") if is_object(parameters.get(name))
    }
    differ = bool(own) or any(fields.get(name) for name in OTHER_BASES) or is_list(fields.get("rope_theta"))
    if full and local and differ:
        return (
            _table(fields, own.get("full_attention", parameters), full, limit, "full", traits),
            _table(fields, own.get("sliding_attention", {}), local, limit, "sliding", traits),
        )
    one = full or local or heads[0]
    return (_table(fields, own.get("full_attention", parameters), one, limit, "all", traits),)


def _tables_of_compressed(fields: Mapping[str, Any], one: CompressedLatent) -> tuple[RotaryTable, ...]:
    """Return DeepSeek V4's tables: one for layers with compressed tokens, and one for those that see a window only."""
    positions = int(fields["max_position_embeddings"])
    kinds: tuple[Literal["full", "sliding"], ...] = ("full", "sliding")
    return tuple(RotaryTable(positions=positions, dim=one.rope_dim, value_bytes=4, layers=kind) for kind in kinds)


def _slides(one: GroupedQuery | Latent) -> bool:
    return isinstance(one, GroupedQuery) and one.window_tokens is not None


def _table(
    fields: Mapping[str, Any],
    parameters: Mapping[str, Any],
    attention: GroupedQuery | Latent,
    limit: int,
    layers: Literal["all", "full", "sliding"],
    traits: Traits,
) -> RotaryTable:
    dim = _rotated(fields, parameters, attention, traits.rotary_share)
    for_images = "mrope_section" in parameters or traits.has_image_positions
    repeated = IMAGE_POSITIONS_FACTOR if for_images and not traits.has_positions_once else 1
    return RotaryTable(
        positions=table_rows(parameters, limit) * repeated,
        dim=dim,
        value_bytes=2,
        layers=layers,
        is_of_each_layer=traits.has_tables_by_layer,
    )


def _rotated(
    fields: Mapping[str, Any], parameters: Mapping[str, Any], attention: GroupedQuery | Latent, usual_share: float
) -> int:
    if isinstance(attention, Latent):
        return attention.qk_rope_head_dim
    if parameters.get("rope_type") == "proportional":
        return attention.head_dim
    if size := count(fields, "rotary_dim", "qk_rope_dim", "rope_head_dim"):
        return size
    stated = [section.get(name) for section in (parameters, fields) for name in SHARES]
    shares = [float(value) for value in stated if isinstance(value, int | float) and 0 < value <= 1]
    return int(attention.head_dim * (shares[0] if shares else usual_share)) // 2 * 2
