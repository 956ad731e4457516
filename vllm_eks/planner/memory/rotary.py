"""Rotary tables: the cosines and sines of every position, whole on each GPU of each stage, whatever --max-model-len is.

vLLM makes them when it makes the model (model_executor/layers/rotary_embedding, `get_rope`, read in 0.21, 0.27 and
0.32): one table for each set of rope parameters, which all layers with these parameters share. They are buffers, so
they are in no checkpoint, and vLLM logs them with the weights.
"""

from typing import Literal

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import IMAGE_POSITIONS_NOT_REPEATED
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.models.architecture import Architecture, GroupedQuery, LinearState, RotaryTable
from vllm_eks.planner.ranges import exactly

IMAGE_POSITIONS_FACTOR = 4
"""Multimodal rotary tables hold four times the positions, for videos (mrope.py, cache_max_position_num)."""


def rotary_term(model: Architecture, options: ResolvedOptions, *, layers: range) -> Term:
    """Return the tables that the layers of a stage use."""
    used = _kinds(model, layers)
    tables = [table for table in model.rotary_tables if table.layers in used]
    size = sum(_table_bytes(table, options) for table in tables)
    rows = " + ".join(f"{_table_rows(table, options):,} x {table.dim} x {table.value_bytes} B" for table in tables)
    return Term(
        name="rotary tables",
        bytes=exactly(size),
        rule=f"{rows}: every position of the model, whole on each GPU" if tables else "no layer of the stage rotates",
    )


def _table_rows(table: RotaryTable, options: ResolvedOptions) -> int:
    repeats = table.repeats_positions and options.version < IMAGE_POSITIONS_NOT_REPEATED
    return table.positions * (IMAGE_POSITIONS_FACTOR if repeats else 1)


def _table_bytes(table: RotaryTable, options: ResolvedOptions) -> int:
    return _table_rows(table, options) * table.dim * table.value_bytes


def _kinds(model: Architecture, layers: range) -> set[Literal["all", "full", "sliding"]]:
    """Return which tables these layers use: linear attention and Llama 4's global layers rotate nothing."""
    kinds: set[Literal["all", "full", "sliding"]] = set()
    for index in layers:
        attention = model.attention[index]
        if isinstance(attention, LinearState) or index in model.unchunked_layers:
            continue
        slides = isinstance(attention, GroupedQuery) and attention.window_tokens is not None
        kinds |= {"all", "sliding" if slides else "full"}
    return kinds
