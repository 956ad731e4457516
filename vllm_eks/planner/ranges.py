"""An estimate with its 90 % range."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

LIKELY_SHARE = 0.15
"""The part of the way to the low end at which a start likely fits (`make boundary`)."""


@dataclass(frozen=True)
class Range:
    """An estimate: the best value and the low and high ends of its 90 % range."""

    low: float
    best: float
    high: float

    @property
    def likely(self) -> float:
        """The value that *likely fits* rests on: a part of the way from the best to the low end.

        A start that fails costs more than a start that is refused without need. With it, no run of tests/data/vllm_runs
        is accepted with 1 GiB too little (the nearest lacks 0.6 GiB), and nine in ten are accepted with 1 GiB to spare.
        """
        return self.best - LIKELY_SHARE * (self.best - self.low)

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.best * factor, self.high * factor)

    def __add__(self, other: "Range") -> "Range":
        """Add an independent estimate: each side is the root of the sum of both squares.

        Errors with different causes seldom have the same sign and their full size at once.
        """
        best = self.best + other.best
        low = hypot(self.best - self.low, other.best - other.low)
        high = hypot(self.high - self.best, other.high - other.best)
        return Range(best - low, best, best + high)

    def with_correlated(self, other: "Range") -> "Range":
        """Add an estimate whose error has the same cause: the low ends and the high ends are added."""
        return Range(self.low + other.low, self.best + other.best, self.high + other.high)

    def __neg__(self) -> "Range":
        return Range(-self.high, -self.best, -self.low)

    def at_least(self, floor: "Range") -> "Range":
        """Return the larger of two estimates for each of low, best and high, for two uses of the same memory."""
        return Range(max(self.low, floor.low), max(self.best, floor.best), max(self.high, floor.high))


def sum_of(independent: Sequence[Range]) -> Range:
    """Return the sum of independent estimates, as repeated addition does."""
    best = sum(one.best for one in independent)
    low = hypot(*(one.best - one.low for one in independent))
    high = hypot(*(one.high - one.best for one in independent))
    return Range(best - low, best, best + high)


def exactly(value: float) -> Range:
    """Return a known number as a range of width zero."""
    return Range(value, value, value)
