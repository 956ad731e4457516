"""Memory of the rotary tables: the cosines and sines of all positions of the model.

Each GPU holds the complete tables, whatever --max-model-len is. vLLM creates one table for each set of rope parameters
when it creates the model (model_executor/layers/rotary_embedding, `get_rope`, in 0.21, 0.27 and 0.32). The tables are
buffers: they are not in the checkpoint, and vLLM logs them as part of the weights.
"""

from functools import lru_cache
from typing import Literal

from vllm_eks.planner.engine.engine_flags import FLOAT32
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import IMAGE_POSITIONS_NOT_REPEATED
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.models.architecture import Architecture, RotaryTable
from vllm_eks.planner.models.mixers import Beside, CompressedLatent, GroupedQuery, Latent
from vllm_eks.planner.ranges import exactly

IMAGE_POSITIONS_FACTOR = 4
"""Multimodal rotary tables hold four times as many positions, for videos (mrope.py, cache_max_position_num)."""

Kind = Literal["all", "full", "sliding"]
"""The layers that use a table."""


def rotary_term(model: Architecture, options: ResolvedOptions, *, layers: range) -> Term:
    """Return the tables that the layers of a stage use."""
    used = set[Kind]().union(*_kinds(model)[layers.start : layers.stop])
    tables = [table for table in model.rotary_tables if table.layers in used]
    size = sum(_table_bytes(table, options) * (len(layers) if table.is_of_each_layer else 1) for table in tables)
    rows = " + ".join(
        f"{_table_rows(table, options):,} x {table.dim} x {_value_bytes(table, options)} B"
        + (f" x {len(layers)} layers" if table.is_of_each_layer else "")
        for table in tables
    )
    return Term(
        name="rotary tables",
        bytes=exactly(size),
        rule=f"{rows}: all positions of the model, on each GPU" if tables else "no layer of the stage uses one",
    )


def _table_rows(table: RotaryTable, options: ResolvedOptions) -> int:
    repeats = table.repeats_positions and options.version < IMAGE_POSITIONS_NOT_REPEATED
    return table.positions * (IMAGE_POSITIONS_FACTOR if repeats else 1)


def _table_bytes(table: RotaryTable, options: ResolvedOptions) -> int:
    return _table_rows(table, options) * table.dim * _value_bytes(table, options)


def _value_bytes(table: RotaryTable, options: ResolvedOptions) -> int:
    # Without compilation FlashInfer rotates, from 32-bit values (deepseek_scaling_rope.py).
    is_wide = table.is_wide_in_eager and options.enforce_eager
    return 4 if is_wide or options.flags.dtype == FLOAT32 else table.value_bytes


@lru_cache(maxsize=64)
def _kinds(model: Architecture) -> tuple[frozenset[Kind], ...]:
    """Return the kinds of tables that each layer uses. Linear attention and Llama 4's global layers use none."""
    return tuple(_kinds_of(model, index) for index in range(model.num_hidden_layers))


def _kinds_of(model: Architecture, index: int) -> frozenset[Kind]:
    attention = model.attention[index]
    if isinstance(attention, Beside):
        attention = attention.attention
    if isinstance(attention, CompressedLatent):
        return frozenset({"full" if attention.ratio else "sliding"})
    if not isinstance(attention, GroupedQuery | Latent) or index in model.unchunked_layers:
        return frozenset()
    slides = isinstance(attention, GroupedQuery) and attention.window_tokens is not None
    return frozenset({"all", "sliding" if slides else "full"})
