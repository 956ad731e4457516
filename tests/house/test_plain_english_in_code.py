"""Plain English in the code: docstrings, comments and strings of the finished rooms have no banned phrase."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "vllm_eks/planner",
    "vllm_eks/doctor",
    "vllm_eks/leftovers",
    "vllm_eks/stack_files",
    "charts/vllm/files",
    "checks",
)
BANNED = re.compile(
    r"(?:is|are|was|were|not|be) told\b|\bwish(?:es|ed)?\b|\bway out\b|\bknock|\bwhoever\b|\bslip of the pen\b"
    r"|\bmend(?:s|ed|ing)?\b|\banew\b|\ball the same\b|\b(?:some|no)body\b|\bstands? (?:on|at|in|for|under)\b"
    r"|\bin place of\b|\bsays so\b|\bfor ever\b|; [Nn]one:|\bthe cautious side\b|\bwhat is wrong\b",
    re.IGNORECASE,
)


def texts_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string and comment."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@pytest.mark.parametrize("room", ROOMS)
def test_a_finished_room_has_no_banned_phrase(room: str) -> None:
    found = [
        f"{module.relative_to(ROOT)}:{line}: {match[0]}"
        for module in sorted((ROOT / room).rglob("*.py"))
        for line, text in texts_of(module.read_text())
        for match in BANNED.finditer(text)
    ]
    assert found == []


def test_the_rule_sees_docstrings_comments_and_strings() -> None:
    source = '"""What the user wishes."""\nNAME = "made anew"  # whoever asks\nOTHER = "a plain text"\n'
    assert [match[0] for _, text in texts_of(source) for match in BANNED.finditer(text)] == [
        "wishes",
        "anew",
        "whoever",
    ]
