"""The service level: limits of latencies, each at a percentile of the requests or tokens."""

import re
from dataclasses import dataclass
from typing import Literal

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.load.numbers import digits, significant

Latency = Literal["ttft", "itl", "e2e"]
NAMES: dict[Latency, str] = {"ttft": "TTFT", "itl": "ITL", "e2e": "E2E"}
MEANINGS: dict[Latency, str] = {
    "ttft": "time to first token",
    "itl": "time between two tokens of a request",
    "e2e": "time of a whole request",
}
SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "min": 60.0}
LIMIT = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[A-Za-zµ]*)(?:@(?P<percentile>.*))?", re.ASCII)
MOST_PERCENTILE = 99
"""A replay has some hundred requests, too few for p99.9."""
LEAST_SECONDS, MOST_SECONDS = 0.00001, 86_400.0
"""Of a limit: far below the time of any engine step, and a day."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The largest value of a latency at a percentile."""

    seconds: float
    percentile: int

    @property
    def label(self) -> str:
        """As it is written on the command line, such as 1s@p90."""
        return f"{written(self.seconds)}@p{self.percentile}"


@dataclass(frozen=True, kw_only=True)
class ServiceLevel:
    """The limits that all requests together must meet. None means no limit."""

    ttft: Limit | None = None
    itl: Limit | None = None
    e2e: Limit | None = None

    @property
    def limits(self) -> dict[Latency, Limit]:
        """The limits that are set."""
        every: dict[Latency, Limit | None] = {"ttft": self.ttft, "itl": self.itl, "e2e": self.e2e}
        return {name: limit for name, limit in every.items() if limit}

    @property
    def label(self) -> str:
        """All limits, such as `TTFT 1s@p90, ITL 40ms@p50`."""
        return ", ".join(f"{NAMES[name]} {limit.label}" for name, limit in self.limits.items()) or "none"


def duration(seconds: float) -> str:
    """Return a time with its unit and three or four digits.

    >>> duration(0.04), duration(1.5), duration(90), duration(0.9999), duration(86_400)
    ('40ms', '1.5s', '90s', '0.9999s', '86400s')
    """
    thousandths = significant(seconds * 1000, 3)
    number = thousandths if seconds < 1 and float(thousandths.replace(",", "")) < 1000 else ""
    return f"{number}ms" if number else f"{significant(seconds, 4).replace(',', '')}s"


def written(seconds: float) -> str:
    """Return a time with all its digits, as an option takes it.

    >>> written(0.04), written(12_345)
    ('40ms', '12345s')
    """
    return f"{digits(seconds * 1000)}ms" if seconds < 1 else f"{digits(seconds)}s"


def duration_in_words(seconds: float) -> str:
    """Return a time with its unit, as in a sentence.

    >>> duration_in_words(0.178), duration_in_words(1.84), duration_in_words(0.999), duration_in_words(1234.0)
    ('180 ms', '1.8 s', '1 s', '1,200 s')
    """
    thousandths = significant(seconds * 1000, 2)
    number = thousandths if seconds < 1 and float(thousandths.replace(",", "")) < 1000 else ""
    return f"{number} ms" if number else f"{significant(seconds, 2)} s"


def parse_limit(text: str) -> Limit:
    """Return the limit that an option or a key of the stack file states, such as `1s@p90`.

    Raises:
        WrongQuestion: It has no unit or percentile, or they are out of range. The message begins with the text, for
            a key before it.
    """
    found = LIMIT.fullmatch(text.strip())
    if not found:
        raise WrongQuestion(f"{text!r} is not a time at a percentile: write it like 1s@p90 or 40ms@p50")
    number, unit, percentile = found["number"], found["unit"], found["percentile"]
    if not unit:
        raise WrongQuestion(f"{text!r} has no unit: write {number}ms or {number}s before the percentile")
    if unit not in SECONDS_PER_UNIT:
        raise WrongQuestion(f"{text!r}: the unit {unit!r} is not one of {', '.join(SECONDS_PER_UNIT)}")
    if percentile is None:
        raise WrongQuestion(f"{text!r} has no percentile: write {text.strip()}@p90, or another of p1 to p99")
    seconds = float(number) * SECONDS_PER_UNIT[unit]
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise WrongQuestion(f"{text!r} must be from {duration(LEAST_SECONDS)} to {duration(MOST_SECONDS)}")
    return Limit(seconds=seconds, percentile=_percentile(percentile, text=text))


def parse_duration(text: str) -> float:
    """Return the seconds of a time such as `10s`.

    Raises:
        WrongQuestion: It is no time with a unit. The message begins with the text.
    """
    found = LIMIT.fullmatch(text.strip())
    if not found or found["percentile"] is not None or found["unit"] not in SECONDS_PER_UNIT:
        raise WrongQuestion(f"{text!r} is not a time: write it like 500ms, 10s or 2min")
    return float(found["number"]) * SECONDS_PER_UNIT[found["unit"]]


def _percentile(percentile: str, *, text: str) -> int:
    number = percentile.removeprefix("p")
    if number == percentile or not re.fullmatch(r"\d+(\.\d+)?", number, re.ASCII):
        raise WrongQuestion(f"{text!r}: the percentile {percentile!r} is not one of p1 to p99, such as p90")
    if not number.isdecimal() or not 1 <= float(number) <= MOST_PERCENTILE:
        raise WrongQuestion(
            f"{text!r}: the percentile {percentile} is not a whole number from p1 to p99: the replay has too few "
            "requests for more"
        )
    return int(number)
