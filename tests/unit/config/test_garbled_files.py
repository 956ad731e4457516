"""Files that are not text, and randomly garbled stack files: clear errors, no traceback."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stack_file_errors import good_config, reported
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.hardware.instance_files import read_instance_file
from vllm_eks.planner.search.model_folder import read_model_folder
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parents[3]
SHIPPED = [path.read_text() for path in sorted([*ROOT.glob("Pulumi.*.yaml"), *(ROOT / "examples").glob("*.yaml")])]


def make_folder(path: Path) -> None:
    path.mkdir()


def link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def make_too_large(path: Path) -> None:
    path.touch()
    os.truncate(path, 65 * 1024 * 1024)


@pytest.mark.parametrize("make", [make_folder, link_to_zeros, link_to_itself, os.mkfifo, make_too_large])
@pytest.mark.parametrize("name", ["Pulumi.yaml", "Pulumi.test.yaml", "config.json", "instance.json"])
def test_a_file_that_is_not_text_gets_one_line(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: vllm-eks\nruntime: python\n")
    (tmp_path / name).unlink(missing_ok=True)
    make(tmp_path / name)
    readers: dict[str, Callable[[], object]] = {
        "config.json": lambda: read_model_folder(tmp_path),
        "instance.json": lambda: read_instance_file(tmp_path / name),
    }

    with pytest.raises(WrongQuestion, match=name) as refused:
        readers.get(name, lambda: read_stack_file(tmp_path, "test"))()

    assert len(str(refused.value).splitlines()) == 1
    assert "is not the path" not in str(refused.value)


@pytest.fixture(scope="module")
def garbled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with valid stack files."""
    folder = tmp_path_factory.mktemp("garbled")
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    assert [reported(folder, text) for text in SHIPPED] == [[]] * len(SHIPPED)
    return folder


SHORT_OF_TEXT = "\t :-?&*!|>'\"\\[]{},#%@`<~0.x_ \n\r\x00\x85\ufeffé😀"
WORDS = [
    "- ",
    ": ",
    "? ",
    "&a ",
    "*a",
    "!!int ",
    "!x ",
    "<<: ",
    "012",
    "1e999",
    "2024-01-01",
    ".inf",
    "---\n",
    '"\\ud800"',
]


@st.composite
def garbled_stacks(draw: st.DrawFn) -> str:
    """Draw a shipped stack file with some pieces inserted, removed or repeated."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    text = chance.choice(SHIPPED)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randint(0, len(text)), chance.randint(1, 30)
        piece = chance.choice([*WORDS, *SHORT_OF_TEXT, text[at : at + length]])
        text = text[:at] + piece + text[at + chance.choice([0, 0, length]) :]
    return text


@settings(max_examples=25)
@given(text=garbled_stacks())
def test_a_garbled_stack_file_never_ends_in_a_traceback(garbled: Path, text: str) -> None:
    reported(garbled, text)


# Hypothesis's default, without a codec: it tries one on a million characters, which takes a second.
CHARACTERS = st.characters(exclude_categories=["Cs"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(CHARACTERS, max_size=20),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=8), below, max_size=3),
    max_leaves=6,
)
PLACES = [
    (name, key)
    for name, section in yaml.safe_load(SHIPPED[0])["config"].items()
    for key in (section if isinstance(section, dict) else [None])
]


@settings(max_examples=25)
@given(
    place=st.sampled_from([*PLACES, ("vllm-eks:tags", None), ("aws:defaultTags", None)]),
    value=VALUES,
    stray=st.text(CHARACTERS, max_size=8),
)
def test_any_value_in_any_place_never_ends_in_a_traceback(
    garbled: Path, place: tuple[str, Any], value: object, stray: str
) -> None:
    config = good_config()
    section, key = place
    if key is None or not isinstance(config.get(section), dict):
        config[section] = value
    else:
        config[section] = {**config[section], key: value, stray: value}
    reported(garbled, yaml.safe_dump({"config": config}))
