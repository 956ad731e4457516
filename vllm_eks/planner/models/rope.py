"""The rope parameters of a config.json, and the rows of the table that vLLM makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vllm_eks.json_values import is_object
from vllm_eks.planner.models.counts import LARGEST_NUMBER

STRETCHED = ("yarn", "deepseek_yarn")
"""Scalings whose table has original_max_position_embeddings x factor rows."""


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
