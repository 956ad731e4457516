"""The table of refusal codes against what the planner raises."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from vllm_eks.planner.engine.refusal_codes import REFUSAL_CODES, RefusalCode

PACKAGE = Path(__file__).parents[4] / "vllm_eks"


def codes_raised() -> Iterator[str]:
    """Yield the code of each `Refusal(code="...")` in the package."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
                code = next(one.value for one in node.keywords if one.arg == "code")
                assert isinstance(code, ast.Constant), f"{file}: a code that is no constant cannot be looked up"
                yield str(code.value)


def test_every_code_that_is_raised_is_in_the_table_and_no_other() -> None:
    assert set(codes_raised()) == set(REFUSAL_CODES) == set(get_args(RefusalCode))


def test_every_code_has_a_cause_and_a_fix_in_sentences() -> None:
    assert all(part.endswith(".") for text in REFUSAL_CODES.values() for part in (text.cause, text.fix))
