"""The service level: limits of latencies, each at a percentile of the requests or tokens."""

import re
from dataclasses import dataclass
from typing import Literal

from vllm_eks.errors import WrongQuestion

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
MOST_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The largest value of a latency at a percentile."""

    seconds: float
    percentile: int

    @property
    def label(self) -> str:
        """As it is written on the command line, such as 1s@p90."""
        return f"{duration(self.seconds)}@p{self.percentile}"


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
    """Return a time with its unit.

    >>> duration(0.04), duration(1.5), duration(90)
    ('40ms', '1.5s', '90s')
    """
    return f"{seconds * 1000:.3g}ms" if seconds < 1 else f"{seconds:.4g}s"


def duration_in_words(seconds: float) -> str:
    """Return a time with its unit, as in a sentence.

    >>> duration_in_words(0.178), duration_in_words(1.84)
    ('180 ms', '1.8 s')
    """
    return f"{float(f'{seconds * 1000:.2g}'):g} ms" if seconds < 1 else f"{float(f'{seconds:.2g}'):g} s"


def parse_limit(text: str, *, key: str) -> Limit:
    """Return the limit that an option or a key of the stack file states, such as `1s@p90`.

    Raises:
        WrongQuestion: It has no unit or percentile, or they are out of range.
    """
    found = LIMIT.fullmatch(text.strip())
    if not found:
        raise WrongQuestion(f"{key} {text!r} is not a time at a percentile: write it like 1s@p90 or 40ms@p50")
    number, unit, percentile = found["number"], found["unit"], found["percentile"]
    if not unit:
        raise WrongQuestion(f"{key} {text!r} has no unit: write {number}ms or {number}s before the percentile")
    if unit not in SECONDS_PER_UNIT:
        raise WrongQuestion(f"{key} {text!r}: the unit {unit!r} is not one of {', '.join(SECONDS_PER_UNIT)}")
    if percentile is None:
        raise WrongQuestion(f"{key} {text!r} has no percentile: write {text.strip()}@p90, or another of p1 to p99")
    seconds = float(number) * SECONDS_PER_UNIT[unit]
    if not 0 < seconds <= MOST_SECONDS:
        raise WrongQuestion(f"{key} {text!r} must be above 0 and at most {MOST_SECONDS:,.0f}s")
    return Limit(seconds=seconds, percentile=_percentile(percentile, text=text, key=key))


def parse_duration(text: str, *, key: str) -> float:
    """Return the seconds of a time such as `10s`.

    Raises:
        WrongQuestion: It is no time with a unit.
    """
    found = LIMIT.fullmatch(text.strip())
    if not found or found["percentile"] is not None or found["unit"] not in SECONDS_PER_UNIT:
        raise WrongQuestion(f"{key} {text!r} is not a time: write it like 500ms, 10s or 2min")
    return float(found["number"]) * SECONDS_PER_UNIT[found["unit"]]


def _percentile(percentile: str, *, text: str, key: str) -> int:
    number = percentile.removeprefix("p")
    if number == percentile or not re.fullmatch(r"\d+(\.\d+)?", number, re.ASCII):
        raise WrongQuestion(f"{key} {text!r}: the percentile {percentile!r} is not one of p1 to p99, such as p90")
    if not number.isdecimal() or not 1 <= int(number) <= MOST_PERCENTILE:
        raise WrongQuestion(
            f"{key} {text!r}: the percentile {percentile} is not a whole number from p1 to p99: the replay has too "
            "few requests for more"
        )
    return int(number)
