"""Errors in the user's input, as opposed to plans that do not fit."""

import re
from collections.abc import Iterable, Sequence

MAX_WORD_LENGTH = re.compile(r"(\S{120})\S{10,}")
MAX_LINE_LENGTH = 1200
"""Our longest sentence lists all supported architectures."""


class WrongQuestion(ValueError):  # noqa: N818  (it is the question that is wrong, not the planner)
    """The input is invalid: exit status 2 on the command line. The lines of the message are short enough for a
    screen."""

    def __str__(self) -> str:
        return "\n".join(bounded(line) for line in super().__str__().split("\n"))


def raise_together(errors: Sequence[str]) -> None:
    """Raise the errors of one question together, if there are any.

    Raises:
        WrongQuestion: Its message is the only error, or has a line for each.
    """
    if len(errors) > 1:
        raise WrongQuestion("\n  ".join((f"{len(errors)} errors:", *errors)))
    if errors:
        raise WrongQuestion(errors[0])


def bounded(line: str) -> str:
    """Return a line of a message with long parts shortened, because values from a file can have any length.

    >>> bounded("x" * 500 + " is text: " + "write less")[-30:]
    'xxxxx... is text: write less'
    """
    line = MAX_WORD_LENGTH.sub(r"\1...", line)
    # The end has the fix.
    return line if len(line) <= MAX_LINE_LENGTH else f"{line[: MAX_LINE_LENGTH - 300]} ... {line[-290:]}"


def nearest_names(name: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Return up to `most` known names that are similar to `name`, the most similar first."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    asked = name.lower()
    # A known name that is a prefix comes first: Qwen3-8B for Qwen3-8B-Instruct.
    begun = sorted((folded for folded in by_folded if asked.startswith(folded)), key=len, reverse=True)
    close = begun + [folded for folded in similar(asked, by_folded, most=most, cutoff=0.5) if folded not in begun]
    if not close and asked:
        close = [folded for folded in by_folded if asked in folded]
    return tuple(by_folded[folded] for folded in close[:most])


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` is most likely a misspelling of, or None."""
    return next(iter(similar(name, known, most=1, cutoff=0.7)), None)


def similar(name: str, known: Iterable[str], *, most: int, cutoff: float) -> list[str]:
    """Return up to `most` known names whose similarity to `name` is at least `cutoff`, the most similar first."""
    # Imported here, because only an error needs it.
    from difflib import get_close_matches

    return get_close_matches(name, list(known), n=most, cutoff=cutoff)


def did_you_mean(nearest: tuple[str, ...]) -> str:
    """Return the suggestion for the nearest names, or an empty string."""
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""
