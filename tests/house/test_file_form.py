"""The format of all Python files: short enough, and formatted only by the formatter."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_LINES = 250
FOLDERS = ("charts", "checks", "components", "config", "tests", "tools", "vllm_eks")
FILES = [ROOT / "__main__.py", *(file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py")))]


def test_no_file_is_too_long() -> None:
    longer = {str(file.relative_to(ROOT)): count for file in FILES if (count := lines_of(file)) > MAX_LINES}
    assert longer == {}, f"more than {MAX_LINES} lines: split them by subject"


def lines_of(file: Path) -> int:
    return len(file.read_text().splitlines())


@pytest.mark.parametrize("mark", ["fmt: skip", "fmt: off"])
def test_the_formatter_lays_out_every_line(mark: str) -> None:
    # This file contains the markers itself.
    marked = [str(file.relative_to(ROOT)) for file in FILES if f"# {mark}" in file.read_text()]
    assert marked == []
