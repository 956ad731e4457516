"""Plain English in pages, code, charts, data and examples: one list of phrases, and short sentences on pages.

The list has phrases of drafts that native readers stumbled over. contributing/testing.md says how to extend it.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANNED = {
    r"\b(?:is|are|was|were|not|be) told\b": "is reported, is printed",
    r"\bstands? (?:on|at|in|for|under|by|before|behind|beside|there|still)\b|\bas it stands\b": "is",
    r"\blies? (?:in|on|at|beside|below|within)\b": "is",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bknock": "call",
    r"\bway out\b": "fix",
    r"\bbut for\b": "except",
    r"\bin place of\b": "instead of",
    r"\bgo(?:es)? on\b": "continue",
    r"\bheld (?:to|against)\b": "compared with",
    r"\bfor ever\b": "forever",
    r"\banew\b": "again",
    r"\bmakes do\b": "needs only",
    r"\b(?:of|but|is) ours\b": "of the stack",
    r"\bwhat (?:is|was|are|were) (?:there|left|meant|wrong)\b": "name the thing",
    r"\bis good too\b": "is also valid",
    r"\bone after (?:the other|another)\b": "one by one",
    r"\bso as to\b": "to",
    r"\bwish(?:es|ed)?\b": "option, request",
    r"\bwhoever\b": "name the reader, or the resource",
    r"\bslip of the pen\b": "mistake",
    r"\ball the same\b": "anyway",
    r"\b(?:some|no|every)body\b": "name the person",
    r"\bsays so\b": "name what it says",
    r"; none:": ", or None if",
    r"\bthe cautious side\b": "the low estimate",
    r"\b(?:is|are) had\b": "name the source",
    r"\bgone on with\b": "continued",
    r"\bin earnest\b": "in a real deployment",
}
"""Pattern -> what to write."""
CHAIN_OF_OF = re.compile(r"\bof(?: [\w'`/-]+){1,3} of(?: [\w'`/-]+){1,3} of\b")
MAX_WORDS = 40
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "contributing").rglob("*.md")])
"""Generated pages too, because they consist of descriptions in the code."""
CODE = ("__main__.py", "charts/vllm/files", "checks", "components", "config", "tests", "tools", "vllm_eks")
"""Docstrings, comments, strings and names of tests."""
DOUBLES = {Path(__file__): "has the phrases themselves"}
CHART = sorted(path for path in (ROOT / "charts" / "vllm").rglob("*") if path.suffix in (".yaml", ".tpl", ".txt"))
DATA = [*(ROOT / "vllm_eks" / "data").glob("*.json"), ROOT / "vllm_eks" / "data" / "vllm_flags" / "dispositions.json"]
EXAMPLES = [*ROOT.glob("Pulumi.*.yaml"), *(ROOT / "examples").glob("*.yaml")]


def phrases(text: str) -> list[str]:
    """Return each banned phrase with what to write."""
    found = [
        f"{match[0]!r} (write: {better})"
        for pattern, better in BANNED.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
    return found + [f"chain of 'of': {match[0]!r}" for match in CHAIN_OF_OF.finditer(text)]


# --- pages


def prose_of(page: Path) -> str:
    """Return the text without code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", "`code`", text)


def sentences_of(text: str) -> Iterator[str]:
    """Yield the sentences of paragraphs and list items, without tables and headings."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:- |\d+\. ))", text):
        if not block.lstrip().startswith(("|", "#")):
            yield from re.split(r"(?<=[.!?:])\s+(?=[A-Z*`\[])", " ".join(block.split()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_plain_phrases(page: Path) -> None:
    assert phrases(prose_of(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_short_sentences(page: Path) -> None:
    sentences = list(sentences_of(prose_of(page)))
    assert [one for one in sentences if len(one.split()) > MAX_WORDS] == []
    assert [one for one in sentences if one.count(";") > 1] == []


# --- code, charts, data and examples


def texts_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string, comment and name of a test. Line breaks in strings are spaces."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def modules_of(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    return [path for path in sorted(root.rglob("*.py")) if not path.is_symlink() and path not in DOUBLES]


@pytest.mark.parametrize("root", CODE)
def test_code_has_plain_phrases(root: str) -> None:
    found = [
        f"{module.relative_to(ROOT)}:{line}: {phrase}"
        for module in modules_of(ROOT / root)
        for line, text in texts_of(module.read_text())
        for phrase in phrases(text)
    ]
    assert found == []


@pytest.mark.parametrize("file", [*CHART, *DATA, *EXAMPLES], ids=lambda file: file.name)
def test_charts_data_and_examples_have_plain_phrases(file: Path) -> None:
    assert phrases(" ".join(file.read_text().replace("#", " ").split())) == []


# --- the rules themselves


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("All errors are told at once.", 1),
        ("The end of the log of the pod of the model.", 1),
        ("This page stands there and lies below it.", 2),
        ("Whoever wishes it makes it anew.", 3),
        ("The standard understands a belief.", 0),
    ],
)
def test_the_rule_finds_such_phrases(text: str, count: int) -> None:
    assert len(phrases(text)) == count


def test_docstrings_comments_strings_and_names_are_read() -> None:
    source = '"""What the user\nwishes."""\nNAME = "made anew"  # whoever asks\ndef test_it_is_told(): ...\n'
    assert [phrase.split(" ")[0] for _, text in texts_of(source) for phrase in phrases(text)] == [
        "'is",
        "'wishes'",
        "'anew'",
        "'whoever'",
    ]


def test_a_long_sentence_is_found() -> None:
    assert [len(one.split()) for one in sentences_of("One two. " + "Word " * 41)] == [2, 41]
