"""The console: colours on a terminal, plain text in pipes, and complete values at any width.

Imports rich only where it is used: importing it takes as long as a plan.
"""

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

PIPE_COLUMNS = 160
"""Width if the output is not a terminal."""
COLOURS_ANYWHERE = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Variables with which rich writes colours to pipes too."""

GAP = 2
"""Spaces between two columns."""
INDENT = 4
"""Indentation of continued lines."""
MIN_PROSE_COLUMNS = 32
"""Minimum width of a table's last column. With less space, the column gets its own lines."""


Line = Sequence[tuple[str, str]]
"""A line of text in parts, each with its style. An empty style is plain text."""


class Pipe:
    """Plain text for a pipe or a file, with lines of any length."""

    is_terminal = False
    width = PIPE_COLUMNS

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def print(self, text: str = "") -> None:
        """Write one line."""
        self._stream.write(f"{text}\n")


Screen: TypeAlias = "Console | Pipe"
"""Where lines and tables are printed."""


def screen(stream: TextIO | None = None) -> Screen:
    """Return a console for text in lines and tables, without rich if the stream (standard output) is a pipe."""
    target = stream if stream is not None else sys.stdout
    if target.isatty() or any(name in os.environ for name in COLOURS_ANYWHERE):
        return console(target)
    return Pipe(target)


def console(stream: TextIO | None = None) -> "Console":
    """Return a console for everything that rich prints, for a stream (standard output by default)."""
    from rich.console import Console

    target = stream if stream is not None else sys.stdout
    return Console(
        file=target,
        width=None if target.isatty() else PIPE_COLUMNS,
        highlight=False,
        soft_wrap=not target.isatty(),
        emoji=False,
    )


def say(out: Screen, text: str | Line, *, hang: int = INDENT, wraps: bool = True) -> None:
    """Print one line. A terminal gets it wrapped between words with further lines indented, and a pipe unwrapped.

    Without `wraps`, a terminal also gets it unwrapped, such as a command that a reader copies.
    """
    if isinstance(out, Pipe):
        out.print(text if isinstance(text, str) else "".join(part for part, _ in text))
        return
    from rich.text import Text

    line = Text(text) if isinstance(text, str) else Text.assemble(*text)
    if not (wraps and out.is_terminal):
        out.print(line, soft_wrap=True)
        return
    first, *rest = line.wrap(out, out.width - hang, overflow="fold") if cells(line.plain) > out.width else [line]
    out.print(first)
    for further in rest:
        out.print(Text(" " * hang).append_text(further))


def show_table(out: Screen, made: "Table") -> None:
    """Print a table."""
    if isinstance(out, Pipe):
        for line in made.lines():
            out.print(line)
    else:
        out.print(made)


def table(out: Screen, *columns: str, right: frozenset[str] = frozenset()) -> "Table":
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

    def __rich_console__(self, out: "Console", options: "ConsoleOptions") -> "Iterator[Text]":
        """Yield the lines, with a bold heading."""
        from rich.text import Text

        for line, is_heading in self._styled_lines():
            yield Text(line, style="bold" if is_heading else "", no_wrap=True)

    def lines(self) -> Iterator[str]:
        """Yield the lines as plain text."""
        return (line for line, _ in self._styled_lines())

    def _styled_lines(self) -> Iterator[tuple[str, bool]]:
        """Yield each line, and whether it belongs to the heading."""
        widths = [max(map(_width, column)) for column in zip(self._columns, *self._rows, strict=True)]
        blocks = self._blocks(widths)
        for number, row in enumerate((self._columns, *self._rows)):
            for line in self._lines(row, widths, blocks):
                yield line, number == 0

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


def cells(text: str) -> int:
    """Return the width of a text on a screen. Some characters take two columns."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _width(cell: str) -> int:
    return max((cells(line) for line in cell.splitlines()), default=0)


def _wrapped(cell: str, width: int) -> list[str]:
    """Return a cell's lines, wrapped between words. A word longer than the column is split, never cut."""
    lines: list[str] = []
    for line in cell.splitlines() or [""]:
        lines += textwrap.wrap(line, max(1, width), break_on_hyphens=False) if cells(line) > width else [line]
    return lines


def _padded(text: str, width: int, *, right: bool) -> str:
    room = " " * max(0, width - cells(text))
    return room + text if right else text + room
