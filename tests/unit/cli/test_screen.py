"""Every value is printed at 80, 120 and 200 columns, with and without colours."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from tests.support.plans import SCOUT, SCOUT_W4A16, planned
from vllm_eks.cli.preview import PreviewOptions
from vllm_eks.cli.views.comparison import COLUMNS, show_comparison
from vllm_eks.cli.views.plan import show_plan
from vllm_eks.cli.views.preview import show
from vllm_eks.cli.views.screen import Table, say, table
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.search.compare import compare
from vllm_eks.preview.recording import Recording

WIDTHS = (80, 120, 200)


def screen(width: int, *, colour: bool = False) -> Console:
    """A terminal with this width that writes to memory. Without colour it has NO_COLOR set."""
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        color_system="truecolor" if colour else None,
        no_color=not colour,
        highlight=False,
        emoji=False,
        _environ={},
    )


def shown(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def values(text: str) -> list[str]:
    return sorted(text.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_the_comparison_drops_no_column_and_fits_the_screen(width: int) -> None:
    plans = compare(find_model(SCOUT), ServingOptions())
    out = screen(width)
    show_comparison(find_model(SCOUT), plans, best=plans[0], order="recommended", region="us-west-2", out=out)
    lines = shown(out).splitlines()
    assert max(map(len, lines)) <= width
    words = values(shown(out))
    for plan in (plan for plan in plans if plan.fits):
        for _, cell in COLUMNS:
            assert set(cell(plan, "us-west-2").split()) <= set(words)
    for heading, _ in COLUMNS:
        assert heading in shown(out)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan_has_the_same_content_at_every_width(width: int) -> None:
    pipe = Console(file=io.StringIO(), width=160, soft_wrap=True, highlight=False, emoji=False, _environ={})
    out = screen(width)
    for each in (pipe, out):
        show_plan(planned(SCOUT), region="us-west-2", out=each)
    assert max(map(len, (line for line in shown(out).splitlines() if "vllm serve" not in line))) <= width
    # The bars use the width of the screen. Everything else is identical.
    assert without_bars(shown(out)) == without_bars(shown(pipe))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_preview_has_the_same_content_at_every_width(width: int, recorded_stack: Callable[[str], Recording]) -> None:
    pipe = Console(file=io.StringIO(), width=160, soft_wrap=True, highlight=False, emoji=False, _environ={})
    out = screen(width)
    for each in (pipe, out):
        show(recorded_stack("prod"), "prod", each, PreviewOptions(resources=True))
    assert words_of_preview(shown(out)) == words_of_preview(shown(pipe))
    # Commands are not wrapped, so that they can be copied.
    lines = [line for line in shown(out).splitlines() if not line.startswith(" " * 9 + "aws ")]
    assert max(map(len, lines)) <= width


def words_of_preview(text: str) -> str:
    """All letters except those of bars, rules and branches, with wrapped words joined again."""
    words = [word for word in without_bars(text) if word not in ("==", "warning", "unknown")]
    return "".join(sorted("".join(words).translate(dict.fromkeys(map(ord, "─│├└ ")))))


def without_bars(text: str) -> list[str]:
    return [word for word in values(text) if not set(word) <= set("WAOK.")]


def test_a_bar_shows_its_parts_as_letters_with_and_without_colour() -> None:
    plain, coloured = screen(120), screen(120, colour=True)
    for out in (plain, coloured):
        show_plan(planned(SCOUT_W4A16), region="us-west-2", out=out)
    bars = [line for line in shown(plain).splitlines() if line.strip().startswith("GPU ")]
    assert len(bars) == 8
    assert all(set("WAOK.") <= set(line) for line in bars)
    assert "\x1b[3" not in shown(plain), "no colour is sent"
    assert "\x1b[37;44mWWW" in shown(coloured)
    assert "W weights  A activations  O overhead  K KV cache  . outside the budget" in shown(plain)


ROW = ("g5.48xlarge", "32.58", "a price of us-west-2, on demand, that was looked up on a day in the year 2026")


def lines_of(made: Table, out: Console) -> list[str]:
    out.print(made)
    return shown(out).splitlines()


def priced(out: Console) -> Table:
    made = table(out, "instance type", "USD/h", "price of", right=frozenset({"USD/h"}))
    made.add_row(*ROW)
    return made


def test_a_narrow_table_wraps_prose_on_its_own_lines() -> None:
    wide = screen(60)
    assert lines_of(priced(wide), wide) == [
        "instance type  USD/h  price of",
        "g5.48xlarge    32.58  a price of us-west-2, on demand, that",
        "                      was looked up on a day in the year",
        "                      2026",
    ]
    narrow = screen(40)
    assert lines_of(priced(narrow), narrow) == [
        "instance type  USD/h",
        "    price of",
        "g5.48xlarge    32.58",
        "    a price of us-west-2, on demand,",
        "    that was looked up on a day in the",
        "    year 2026",
    ]
    out = Console(file=io.StringIO(), width=40, soft_wrap=True, _environ={})
    assert lines_of(priced(out), out) == ["instance type  USD/h  price of", "  ".join(("g5.48xlarge  ", *ROW[1:]))]


def test_a_word_longer_than_the_screen_is_broken_not_cut() -> None:
    out = screen(40)
    made = table(out, "id", "why")
    made.add_row("x" * 90, "because")
    assert shown_word(lines_of(made, out)) == "x" * 90
    say(said := screen(40), "y" * 90)
    assert shown_word(shown(said).splitlines()) == "y" * 90


def shown_word(lines: list[str]) -> str:
    return "".join(line.strip() for line in lines if set(line.strip()) in ({"x"}, {"y"}))


def test_square_brackets_are_text() -> None:
    out = screen(80)
    made = table(out, "what")
    made.add_row("[bold]models[0][/bold]")
    say(out, "[red]zones[1]")
    assert "[bold]models[0][/bold]" in lines_of(made, out)
    assert "[red]zones[1]" in shown(out)
