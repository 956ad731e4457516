"""Formulas of data/towers.json."""

import ast
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from vllm_eks.data import DATA
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.models.from_fields.formulas import (
    Formulas,
    MissingFieldError,
    WrongFormulaError,
    WrongValueError,
)
from vllm_eks.planner.models.from_fields.tower_formulas import TABLE, tower_row
from vllm_eks.planner.models.from_fields.traits import traits_of

OUTER = {"query_num": 64, "version": "x", "vision_config": {"width": 8, "sides": [4, 2], "ratio": 2.5, "marks": [1, 2]}}
INNER = {"hidden_size": 16}
NAMES = read_json_object(DATA / "towers.json")


def value(formula: str, functions: Mapping[str, str] = MappingProxyType({})) -> int:
    return Formulas(functions, [OUTER, INNER], INNER).value(formula)


@pytest.mark.parametrize(
    ("formula", "found"),
    [
        ("2 + 3*4 - 1", 13),
        ("7//2 + 2**3", 11),
        ("vision_config.width*text.hidden_size", 128),
        ("hidden_size", 16),
        ("vision_config.sides", 4),
        ("vision_config.ratio*3", 8),
        ("length(vision_config.marks) + length(vision_config.none)", 2),
        ("(vision_config.none or 5) + (query_num or 1)", 69),
        ("3 if vision_config.none or 0 else 4", 4),
        ("3 if query_num > 60 else 4", 3),
    ],
)
def test_a_formula_is_arithmetic_over_fields(formula: str, found: int) -> None:
    assert value(formula) == found


def test_a_function_has_its_own_names() -> None:
    assert value("mlp(2, 3) + one()", {"mlp(w, f)": "2*w*f", "one()": "1"}) == 13


@pytest.mark.parametrize("formula", ["vision_config.none", "none", "text.none", "version"])
def test_an_absent_field_is_an_error_that_names_it(formula: str) -> None:
    with pytest.raises(MissingFieldError, match=f"^{formula}$"):
        value(formula)


@pytest.mark.parametrize(
    ("config", "formula", "message"),
    [
        ({"width": float("inf")}, "2 * width", "width Infinity"),
        ({"width": float("nan")}, "2 * width", "width NaN"),
        ({"width": -8}, "2 * width", "width -8"),
        ({"width": 10**400}, "width / 2", f"width 1{'0' * 59}..."),
        ({"width": 8, "patch": 0}, "width // patch", "fields whose sizes give no number"),
    ],
)
def test_a_value_that_is_no_size_is_an_error(config: dict[str, Any], formula: str, message: str) -> None:
    with pytest.raises(WrongValueError, match=f"^{re.escape(message)}$"):
        Formulas({}, [config], {}).value(formula)


@pytest.mark.parametrize("formula", ["none(1)", "'text'", "[1]", "1 % 2", "not 1"])
def test_what_is_not_arithmetic_is_an_error(formula: str) -> None:
    with pytest.raises(WrongFormulaError):
        value(formula)


@pytest.mark.parametrize("name", [*NAMES["architectures"], *NAMES["same_as"]])
def test_every_row_has_formulas_and_a_class_that_was_compared(name: str) -> None:
    row: Any = tower_row(name)
    assert row is not None
    for formula in (row.split, row.whole, row.attention, row.width, row.size, row.heads, row.patches, row.tokens):
        ast.parse(formula or "0", mode="eval")
    assert traits_of(name).is_listed or name in ("KimiAudioForConditionalGeneration",)
    assert TABLE.name == "towers.json"
