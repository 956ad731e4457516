"""contributing/memory-constants.md has each constant of the memory model, with its value and rows that exist."""

import re
from pathlib import Path

import pytest

from tests.accuracy.runs import read_runs
from vllm_eks.planner.memory import constants
from vllm_eks.planner.ranges import LIKELY_SHARE

PAGE = (Path(__file__).parents[4] / "contributing" / "memory-constants.md").read_text()
SOURCE = Path(constants.__file__).read_text()
NAMES = [name for name in vars(constants) if re.fullmatch("[A-Z][A-Z_0-9]+", name) and not name.startswith("BYTES_PER")]


@pytest.mark.parametrize("name", NAMES)
def test_each_constant_is_on_the_page_with_its_value(name: str) -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line)
    named, value = re.findall("`([A-Z_0-9]+)`", row.split("|")[1]), row.split("|")[2]
    (line,) = (line for line in SOURCE.splitlines() if re.match(rf"[A-Z_, ]*\b{name}\b.* = ", line))
    written = re.findall(r"Range\(([^)]*)\)", line)
    if written and name in line.split("=")[0]:
        which = line.split("=")[0].replace(" ", "").split(",").index(name)
        assert written[which] in value
    elif "Version" in line:
        assert ".".join(re.findall(r"\d+", line.partition("=")[2])) in value
    else:
        assert line.partition("=")[2].split()[0] in value
    assert name in named


def test_the_share_of_likely_fits_is_on_the_page() -> None:
    assert f"`LIKELY_SHARE` ({LIKELY_SHARE}," in PAGE


def test_each_row_on_the_page_exists() -> None:
    assert set(re.findall(r"\b[SN]\d\d\b", PAGE)) <= {run.id for run in read_runs()}
