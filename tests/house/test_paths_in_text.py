"""Every documentation path in a file exists, and every link of a page has a target."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS_PATH = re.compile(r"(?<![\w/.-])(?:docs|contributing)/(?:[\w./-]*(?:\.md|/))?(?![\w-])")
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
NOT_OURS = ("tests/data/", "uv.lock", "LICENSE")
"""Logs from elsewhere and generated files, whose paths are not in this repository."""


def tracked_files() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.splitlines() if not name.startswith(NOT_OURS)]


def text_of(name: str) -> str:
    path = ROOT / name
    return path.read_text(encoding="utf-8", errors="ignore") if path.is_file() else ""


def pages() -> list[str]:
    # A template's links are relative to the generated page in docs/reference.
    listed = (name for name in tracked_files() if not name.startswith("tools/reference/templates/"))
    return [name for name in listed if name.endswith(".md")]


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_documentation_path_named_in_the_tree_exists() -> None:
    missing = {
        f"{name}: {path}"
        for name in tracked_files()
        if name != "tests/house/test_paths_in_text.py"
        for path in DOCS_PATH.findall(text_of(name))
        if not (ROOT / path).exists()
    }
    assert missing == set()


@pytest.mark.parametrize("page", pages())
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    broken = []
    for target, anchor in LINK.findall(text_of(page)):
        if "://" in target:
            continue
        path = (ROOT / page).parent / target
        if not path.exists() or (anchor and anchor[1:] not in anchors_of(path)):
            broken.append(target + anchor)
    assert broken == []


def test_the_check_sees_a_path_that_does_not_exist() -> None:
    assert DOCS_PATH.findall("see docs/no-such-page.md.") == ["docs/no-such-page.md"]
    assert DOCS_PATH.findall("https://example.org/docs/other.md") == []


def test_no_file_has_the_marks_of_a_conflict() -> None:
    marks = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
    assert [name for name in tracked_files() if marks.search(text_of(name))] == []
