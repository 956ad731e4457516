"""The rope parameters of a config.json: the number of rows in vLLM's table, and the longest context."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vllm_eks.json_values import is_object
from vllm_eks.planner.models.counts import LARGEST_NUMBER

CONTEXT_FIELDS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
"""The fields in which vLLM looks for the model's length. The smallest value counts, but `model_max_length` has
priority."""
ALREADY_SCALED = ("su", "longrope", "llama3")
"""Scalings whose factor does not lengthen the context in any version."""
STRETCHED = ("yarn", "deepseek_yarn")
"""Scalings whose table has original_max_position_embeddings x factor rows."""
NOT_LENGTHENED = (*STRETCHED, "deepseek_llama_scaling")
"""More scalings whose factor does not lengthen the context since 0.30."""


@dataclass(frozen=True, kw_only=True)
class _Scaling:
    """The rope parameters that decide the rows of a table."""

    kind: str
    factor: float
    original: int


def rope_parameters(text: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the rope parameters under either of their names, or an empty mapping when there are none.

    Phi 3 has the original length outside the rope section.
    """
    outside = {key: text[key] for key in ("original_max_position_embeddings",) if key in text}
    for key in ("rope_parameters", "rope_scaling"):
        if is_object(section := text.get(key)):
            return {**outside, **section}
    return {}


def table_rows(parameters: Mapping[str, Any], limit: int) -> int:
    """Return the rows of a table: the model's positions, extended by its rope scaling."""
    scaling = _scaling(parameters, limit)
    if scaling.kind in STRETCHED:
        return round(scaling.original * scaling.factor)
    if scaling.kind == "linear":
        return round(limit * scaling.factor)
    if scaling.kind in ("longrope", "su"):
        return limit + scaling.original  # the short and the long table
    return limit


def context_limits(text: Mapping[str, Any], *, model_type: str) -> tuple[int, int]:
    """Return the longest context that vLLM accepts without an override: since 0.30, and before it.

    Source: _get_and_verify_max_len in config/model.py, and derive_max_model_len_and_key. Until 0.29 YaRN lengthens the
    original context by its factor; since 0.30 the config's own length counts.

    Args:
        text: The decoder's section.
        model_type: The model's type. Gemma 3's length is already scaled.
    """
    named = [length for key in CONTEXT_FIELDS if (length := number(text.get(key)))]
    base = number(text.get("model_max_length")) or min(named, default=float(LARGEST_NUMBER))
    newer, older, factor = base, base, 1.0
    if "gemma3" in model_type:
        return int(base), int(base)
    for parameters in _by_layer_type(rope_parameters(text)):
        kind = _scaling(parameters, int(base)).kind
        if kind in ALREADY_SCALED:
            continue
        factor = number(parameters.get("factor")) or factor
        if kind == "yarn":
            older = number(parameters.get("original_max_position_embeddings")) or older
        if kind not in NOT_LENGTHENED:
            newer = base * factor
    return int(newer), int(older * factor)


def _by_layer_type(parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the parameters of each type of layer where they differ (transformers 5), or the only ones."""
    nested = [section for section in parameters.values() if is_object(section)]
    return nested or [parameters]


def _scaling(parameters: Mapping[str, Any], limit: int) -> _Scaling:
    return _Scaling(
        kind=str(parameters.get("rope_type") or parameters.get("type") or "default"),
        factor=number(parameters.get("factor")) or 1.0,
        original=int(number(parameters.get("original_max_position_embeddings")) or limit),
    )


def number(value: object) -> float | None:
    """Return a JSON value as a number if a table can have that size, or None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LARGEST_NUMBER:
        return float(value)
    return None
