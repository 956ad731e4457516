"""Memory of the rotary tables: the cosines and sines of all positions of the model.

Each GPU holds the complete tables, whatever --max-model-len is. vLLM creates one table for each set of rope parameters
when it creates the model (model_executor/layers/rotary_embedding, `get_rope`, in 0.21, 0.27 and 0.32). The tables are
buffers: they are not in the checkpoint, and vLLM logs them as part of the weights.
"""

from functools import lru_cache
from typing import Literal

from vllm_eks.planner.engine.flag_rules import runs_in_32_bits
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


def rotary_term(model: Architecture, options: ResolvedOptions, sm: int, *, layers: range) -> Term:
    """Return the tables that the layers of a stage use on GPUs of this capability."""
    used = set[Kind]().union(*_kinds(model)[layers.start : layers.stop])
    tables = [table for table in model.rotary_tables if table.layers in used]
    wide = runs_in_32_bits(model, sm, options.flags)
    size, texts = 0, list[str]()
    for table in tables:
        rows, value_bytes = _table_rows(table, options), _value_bytes(table, options, wide=wide)
        size += rows * table.dim * value_bytes * (len(layers) if table.is_of_each_layer else 1)
        each = f" x {len(layers)} layers" if table.is_of_each_layer else ""
        texts.append(f"{rows:,} x {table.dim} x {value_bytes} B{each}")
    return Term(
        name="rotary tables",
        bytes=exactly(size),
        rule=f"{' + '.join(texts)}: all positions of the model, on each GPU"
        if tables
        else "no layer of the stage uses one",
    )


def _table_rows(table: RotaryTable, options: ResolvedOptions) -> int:
    repeats = table.repeats_positions and options.version < IMAGE_POSITIONS_NOT_REPEATED
    return table.positions * (IMAGE_POSITIONS_FACTOR if repeats else 1)


def _value_bytes(table: RotaryTable, options: ResolvedOptions, *, wide: bool) -> int:
    # Without compilation FlashInfer rotates, from 32-bit values (deepseek_scaling_rope.py).
    return 4 if wide or (table.is_wide_in_eager and options.enforce_eager) else table.value_bytes


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
