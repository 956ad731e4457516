"""A number that nobody knows exactly: its likely value, and the ends it stays within nine times in ten."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """A number with its likely value and the ends it stays within."""

    low: float
    best: float
    high: float

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.best * factor, self.high * factor)

    def __add__(self, other: "Range") -> "Range":
        """Add end to end: the cautious side takes every term at its worst."""
        return Range(self.low + other.low, self.best + other.best, self.high + other.high)

    def __neg__(self) -> "Range":
        return Range(-self.high, -self.best, -self.low)

    def at_least(self, floor: "Range") -> "Range":
        """Return the larger of two numbers that share one place in memory."""
        return Range(max(self.low, floor.low), max(self.best, floor.best), max(self.high, floor.high))


def exactly(value: float) -> Range:
    """Return a number that is known."""
    return Range(value, value, value)
