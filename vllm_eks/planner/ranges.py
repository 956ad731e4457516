"""An estimate with its 90 % range."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """An estimate: the best value and the low and high ends of its 90 % range."""

    low: float
    best: float
    high: float

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.best * factor, self.high * factor)

    def __add__(self, other: "Range") -> "Range":
        """Add the ends separately, so that the low end assumes the worst of every term."""
        return Range(self.low + other.low, self.best + other.best, self.high + other.high)

    def __neg__(self) -> "Range":
        return Range(-self.high, -self.best, -self.low)

    def at_least(self, floor: "Range") -> "Range":
        """Return the larger of two estimates, end by end, for two uses of the same memory."""
        return Range(max(self.low, floor.low), max(self.best, floor.best), max(self.high, floor.high))


def exactly(value: float) -> Range:
    """Return a known number as a range of width zero."""
    return Range(value, value, value)
