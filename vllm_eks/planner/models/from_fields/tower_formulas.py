"""Towers whose sizes data/towers.json states by architecture: those that no general rule describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from vllm_eks.data import DATA
from vllm_eks.json_fields import Fields
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.models.architecture import Vision
from vllm_eks.planner.models.counts import LARGEST_NUMBER
from vllm_eks.planner.models.from_fields.formulas import Formulas, MissingFieldError, WrongValueError
from vllm_eks.planner.models.from_fields.names import UnknownMemory, sections
from vllm_eks.planner.models.from_fields.words import MOST_TOKENS_PER_IMAGE

TABLE = DATA / "towers.json"


@dataclass(frozen=True, kw_only=True)
class TowerRow:
    """The formulas of one architecture. An empty one means the general rule."""

    split: str
    """Parameters that TP divides."""
    whole: str
    """Parameters on every rank."""
    attention: str = ""
    """Parameters that TP divides where it divides the heads, and that are whole elsewhere."""
    width: str = ""
    size: str = ""
    heads: str = ""
    patches: str = ""
    """Patches of the largest item."""
    tokens: str = ""
    """Decoder tokens of that item."""
    is_staged: bool = False


@cache
def _table() -> Mapping[str, Any]:
    return read_json_object(TABLE)


@cache
def tower_row(name: str) -> TowerRow | None:
    """Return the formulas of an architecture name, or None."""
    row: object = _table()["architectures"].get(_table()["same_as"].get(name, name))
    if row is None:
        return None
    fields = Fields(row, where=f"{TABLE.name}: {name}")
    read = TowerRow(
        split=fields.required("split", str),
        whole=fields.required("whole", str),
        attention=fields.optional("attention", str, ""),
        width=fields.optional("width", str, ""),
        size=fields.optional("size", str, ""),
        heads=fields.optional("heads", str, ""),
        patches=fields.optional("patches", str, ""),
        tokens=fields.optional("tokens", str, ""),
        is_staged=fields.optional("is_staged", bool, False),
    )
    fields.end()
    return read


def vision_of_row(
    row: TowerRow,
    config: Mapping[str, Any],
    text: Mapping[str, Any],
    usual: Vision | None,
    *,
    text_hidden: int,
    where: str,
) -> Vision:
    """Return the towers that the formulas state.

    Args:
        row: The formulas.
        config: The whole document.
        text: The decoder's fields under our names.
        usual: What the general rule reads, for what the row does not state.
        text_hidden: The decoder's width.
        where: The model id or folder, for messages.

    Raises:
        UnknownMemory: The config.json lacks a field of a formula, or has a value that is no size.
    """
    functions = Fields(_table(), where=TABLE.name).by_name("functions", str)
    formulas = Formulas(functions, sections(config), text)

    def value(formula: str, other: int = 0) -> int:
        try:
            return formulas.value(formula) if formula else other
        except MissingFieldError as error:
            raise UnknownMemory(
                f"{where}: config.json has no {error}, so the planner cannot determine its encoder's memory"
            ) from error
        except WrongValueError as error:
            raise UnknownMemory(
                f"{where}: config.json has {error}: write numbers from 0 to {LARGEST_NUMBER:,}"
            ) from error

    split, whole, attention = value(row.split), value(row.whole), value(row.attention)
    width = value(row.width, usual.hidden_size if usual else 0)
    return Vision(
        kind="fields",
        parameters=split + whole + attention,
        whole_parameters=whole,
        attention_parameters=attention,
        hidden_size=width,
        intermediate_size=value(row.size, usual.intermediate_size if usual else 4 * width),
        num_attention_heads=value(row.heads, usual.num_attention_heads if usual else 1),
        profile_patches=value(row.patches, usual.profile_patches if usual else MOST_TOKENS_PER_IMAGE),
        profile_tokens=value(row.tokens, usual.profile_tokens if usual else MOST_TOKENS_PER_IMAGE),
        output_size=text_hidden,
        is_sharded=split + attention > 0,
        is_staged=row.is_staged,
    )
