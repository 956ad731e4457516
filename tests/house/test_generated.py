"""Every generated file is up to date with `make generate`."""

import re
from pathlib import Path

import pytest

from tools.generate import GENERATED
from tools.reference.chart_values_page import comments
from tools.reference.markdown import page, table

ROOT = Path(__file__).parents[2]
STACK_FILES = sorted([*ROOT.glob("Pulumi.*.yaml"), *(ROOT / "examples").glob("*.yaml")])


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_in_step_with_its_source(name: str) -> None:
    assert (ROOT / name).read_text() == GENERATED[name](), f"{name} is out of step: run make generate"


def test_no_page_of_the_reference_is_written_by_hand() -> None:
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "reference").glob("*.md")}

    assert pages == {name for name in GENERATED if name.startswith("docs/reference/")}


def test_make_generate_runs_the_generator() -> None:
    assert re.search(r"^generate: .*\n\t.*python -m tools\.generate$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_a_template_with_a_place_that_nothing_fills_is_refused() -> None:
    with pytest.raises(ValueError, match=r"placeholders and values differ: .*'network'"):
        page("stack-file.md", {})


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_the_first_line_of_a_stack_file_names_the_schema(path: Path) -> None:
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", path.read_text().splitlines()[0])

    assert found is not None
    assert (path.parent / found[1]).resolve() == ROOT / "config" / "schema.json"


def test_the_comment_above_a_value_of_the_chart_is_its_text_also_where_the_value_is_commented_out() -> None:
    text = "# About the file.\n\n# The image\n# of vLLM.\n# image: x:1\n\n# Limits.\nlimits:\n  # In GiB: a number.\n"
    text += "  # size: 3\n# Where.\n# place:\n#   The zone.\n#   zone: a\n"

    assert comments(text, {"image", "limits", "limits.size", "place", "place.zone"}) == {
        "image": "The image of vLLM.",
        "limits": "Limits.",
        "limits.size": "In GiB: a number.",
        "place": "Where.",
        "place.zone": "The zone.",
    }


def test_a_cell_of_a_table_shows_bars_and_angle_brackets() -> None:
    assert table(["a"], [["x | `<stack>` of <project>"]]).splitlines()[-1] == r"| x \| `<stack>` of &lt;project> |"
