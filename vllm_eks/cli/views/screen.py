"""The console: colours on a terminal, plain text in pipes, and complete values at any width."""

import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

PIPE_COLUMNS = 160
"""Width if the output is not a terminal."""

GAP = 2
"""Spaces between two columns."""
INDENT = 4
"""Indentation of continued lines."""
MIN_PROSE_COLUMNS = 32
"""Minimum width of a table's last column. With less space, the column gets its own lines."""


def console(stream: TextIO | None = None) -> Console:
    """Return a console for a stream (standard output by default)."""
    target = stream if stream is not None else sys.stdout
    return Console(
        file=target,
        width=None if target.isatty() else PIPE_COLUMNS,
        highlight=False,
        soft_wrap=not target.isatty(),
        emoji=False,
    )


def say(out: Console, text: str | Text, *, hang: int = INDENT) -> None:
    """Print one line. A terminal gets it wrapped between words with further lines indented, and a pipe unwrapped."""
    line = Text(text) if isinstance(text, str) else text
    if not out.is_terminal:
        out.print(line, soft_wrap=True)
        return
    first, *rest = line.wrap(out, out.width - hang, overflow="fold") if cell_len(line.plain) > out.width else [line]
    out.print(first)
    for further in rest:
        out.print(Text(" " * hang).append_text(further))


def table(out: Console, *columns: str, right: frozenset[str] = frozenset()) -> "Table":
    """Return an empty table. `right` has the columns with numbers."""
    return Table(columns, right, width=out.width if out.is_terminal else None)


class Table:
    """A table. A row that is wider than the screen continues on the next line, so that no value is dropped."""

    def __init__(self, columns: Sequence[str], right: frozenset[str], *, width: int | None) -> None:
        self._columns = tuple(columns)
        self._right = right
        self._width = width
        """Width of the screen, or None for no limit."""
        self._rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """Add a row with a plain text for each column."""
        self._rows.append(cells)

    def __rich_console__(self, out: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the lines."""
        widths = [max(map(_width, cells)) for cells in zip(self._columns, *self._rows, strict=True)]
        blocks = self._blocks(widths)
        for line in self._lines(self._columns, widths, blocks):
            yield Text(line, style="bold", no_wrap=True)
        for row in self._rows:
            for line in self._lines(row, widths, blocks):
                yield Text(line, no_wrap=True)

    def _blocks(self, widths: list[int]) -> list[list[int]]:
        """Return the columns of each line of a row.

        Reduces `widths` to the screen's width for a column that is alone on its line.
        """
        every = list(range(len(widths)))
        if self._width is None:
            return [every]
        left_for_prose = self._width - sum(widths[:-1]) - GAP * (len(widths) - 1)
        if left_for_prose >= min(widths[-1], MIN_PROSE_COLUMNS):
            widths[-1] = min(widths[-1], left_for_prose)
            return [every]
        blocks: list[list[int]] = [[]]
        used = 0
        for column in every:
            if blocks[-1] and used + GAP + widths[column] > self._width:
                blocks.append([])
            indent = INDENT if len(blocks) > 1 else 0
            widths[column] = min(widths[column], self._width - indent)
            used = used + GAP + widths[column] if blocks[-1] else indent + widths[column]
            blocks[-1].append(column)
        return blocks

    def _lines(self, cells: Sequence[str], widths: list[int], blocks: list[list[int]]) -> Iterator[str]:
        for number, block in enumerate(blocks):
            indent = " " * INDENT if number else ""
            wrapped = [_wrapped(cells[column], widths[column]) for column in block]
            for index in range(max(map(len, wrapped))):
                parts = [lines[index] if index < len(lines) else "" for lines in wrapped]
                line = (" " * GAP).join(
                    _padded(part, widths[column], right=self._columns[column] in self._right)
                    for part, column in zip(parts, block, strict=True)
                )
                if line.strip():
                    yield (indent + line).rstrip()


def _width(cell: str) -> int:
    return max((cell_len(line) for line in cell.splitlines()), default=0)


def _wrapped(cell: str, width: int) -> list[str]:
    """Return a cell's lines, wrapped between words. A word longer than the column is split, never cut."""
    lines: list[str] = []
    for line in cell.splitlines() or [""]:
        lines += textwrap.wrap(line, max(1, width), break_on_hyphens=False) if cell_len(line) > width else [line]
    return lines


def _padded(text: str, width: int, *, right: bool) -> str:
    room = " " * max(0, width - cell_len(text))
    return room + text if right else text + room
