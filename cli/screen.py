"""One console for people: colours and boxes on a terminal, plain text in pipes."""

import sys
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table

PIPE_COLUMNS = 160
"""Width where there is no terminal to ask: no line of ours is longer, so nothing is cut."""

NUMBER_COLUMNS = 6
"""Least width of a column of numbers."""


def console(stream: TextIO | None = None) -> Console:
    """Return a console on a stream (standard output by default)."""
    target = stream if stream is not None else sys.stdout
    return Console(
        file=target,
        width=None if target.isatty() else PIPE_COLUMNS,
        highlight=False,
        soft_wrap=not target.isatty(),
        emoji=False,
    )


def table(out: Console, *columns: str, title: str | None = None, right: frozenset[str] = frozenset()) -> Table:
    """Return an empty table; `right` names the columns that hold numbers."""
    made = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD if out.is_terminal else None,
        header_style="bold",
        pad_edge=out.is_terminal,
    )
    for column in columns:
        # The last column holds prose: it alone gives way on a narrow terminal.
        is_prose = column == columns[-1] and column not in right
        least = None if is_prose else max(len(column), NUMBER_COLUMNS if column in right else 0)
        made.add_column(column, justify="right" if column in right else "left", no_wrap=not is_prose, min_width=least)
    return made
