"""Questions that cannot be planned at all, as opposed to plans that do not fit."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

LONG_WORD = re.compile(r"(\S{120})\S{10,}")
LONGEST_LINE = 1200
"""The longest sentence of ours lists every known architecture."""


class WrongQuestion(ValueError):  # noqa: N818  (it is the question that is wrong, not the planner)
    """The question itself is wrong: exit status 2 on the command line. Its lines are short enough for a screen."""

    def __str__(self) -> str:
        return "\n".join(bounded(line) for line in super().__str__().split("\n"))


def bounded(line: str) -> str:
    """Return a line of a message with what is long of it cut: values of a file may be of any length.

    >>> bounded("x" * 500 + " is text: " + "write less")[-30:]
    'xxxxx... is text: write less'
    """
    line = LONG_WORD.sub(r"\1...", line)
    # The end says what to do.
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 300]} ... {line[-290:]}"


def nearest_names(name: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Return up to `most` known names that look like `name`, the closest first."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    asked = name.lower()
    # A name that the asked one begins with comes first: Qwen3-8B for Qwen3-8B-Instruct.
    begun = sorted((folded for folded in by_folded if asked.startswith(folded)), key=len, reverse=True)
    close = begun + [
        folded for folded in get_close_matches(asked, by_folded, n=most, cutoff=0.5) if folded not in begun
    ]
    if not close:
        close = [folded for folded in by_folded if asked in folded]
    return tuple(by_folded[folded] for folded in close[:most])


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` is most likely a slip of; None where none is near."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.7)), None)


def did_you_mean(nearest: tuple[str, ...]) -> str:
    """Return the half sentence that offers the nearest names, or nothing when there are none."""
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""
