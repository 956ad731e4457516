"""Pages and messages in plain English: no phrase that readers stumble over, no sentence that one has to read twice."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANNED = {
    r"(?:is|are|was|were|not|be) told\b": "is reported, is printed",
    r"\bstands?\b": "is",
    r"\blies?\b": "is",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bknock": "call",
    r"\bway out\b": "fix",
    r"\bbut for\b": "except",
    r"\bin place of\b": "instead of",
    r"\bgo(?:es)? on\b": "continue",
    r"\bheld (?:to|against)\b": "compared with",
    r"\bfor ever\b": "forever",
    r"\banew\b": "again",
    r"\bmakes do\b": "needs",
    r"\bof ours\b": "of the stack",
    r"\bwhat (?:is|was) (?:there|left|meant)\b": "name the thing",
    r"\bis good too\b": "is also valid",
    r"\bone after the other\b": "one by one",
    r"\bso as to\b": "to",
}
"""Pattern -> what to write."""
CHAIN_OF_OF = re.compile(r"\bof(?: [\w'`/-]+){1,3} of(?: [\w'`/-]+){1,3} of\b")
MAX_WORDS = 40
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "contributing").rglob("*.md")])
"""Generated pages too: they speak with the descriptions in the code."""
SPEAKING = ("checks", "config", "components", "vllm_eks")
"""Rooms whose strings users read."""


def prose_of(page: Path) -> str:
    """Return the text without code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", "`code`", text)


def paragraphs_of(text: str) -> Iterator[str]:
    """Yield paragraphs and list items, without tables and headings."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:- |\d+\. ))", text):
        if not block.lstrip().startswith(("|", "#")):
            yield " ".join(block.split())


def sentences_of(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.!?:])\s+(?=[A-Z*`\[])", paragraph)


def stumbles(text: str) -> list[str]:
    """Return each banned phrase with what to write."""
    found = [
        f"{match[0]!r} (write: {better})"
        for pattern, better in BANNED.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
    return found + [f"chain of 'of': {match[0]!r}" for match in CHAIN_OF_OF.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_no_phrase_that_readers_stumble_over(page: Path) -> None:
    assert stumbles(prose_of(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_short_sentences(page: Path) -> None:
    sentences = [one for paragraph in paragraphs_of(prose_of(page)) for one in sentences_of(paragraph)]
    assert [one for one in sentences if len(one.split()) > MAX_WORDS] == []
    assert [one for one in sentences if one.count(";") > 1] == []


def strings_of(module: Path) -> Iterator[str]:
    """Yield a module's strings, without docstrings; of an f-string each constant part."""
    tree = ast.parse(module.read_text())
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


@pytest.mark.parametrize("room", SPEAKING)
def test_what_the_program_says_has_no_phrase_that_readers_stumble_over(room: str) -> None:
    found = {
        f"{module.relative_to(ROOT)}: {text!r}: {stumble}"
        for module in sorted((ROOT / room).rglob("*.py"))
        for text in strings_of(module)
        for stumble in stumbles(text)
    }
    assert found == set()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("All faults are told at once.", 1),
        ("The end of the log of the pod of the model.", 1),
        ("This page stands there and lies.", 2),
        ("The standard understands a belief.", 0),
    ],
)
def test_the_rule_sees_such_phrases(text: str, count: int) -> None:
    assert len(stumbles(text)) == count
