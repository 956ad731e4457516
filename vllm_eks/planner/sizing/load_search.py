"""The search for the largest load of a replica that meets a service level, replay by replay.

The search halves the range, and its next load depends on the last result alone. So a looser level never gives a smaller
load: both searches replay the same loads until the stricter level breaks, and larger ones from there on.

Without any limit most replicas break in the upper half of the range, so that the search begins in its middle. Every
load that it replays there is one of halving, so that no limit never gives a smaller load than some limit.
"""

from dataclasses import dataclass

from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.sizing.load_bound import most_load
from vllm_eks.planner.sizing.replica import Replica

PRECISION = 0.05
"""The search ends when the largest load is known this well."""
LEAST_SHARE = 0.001
"""Share of the load at which the search begins. A smaller largest load counts as none."""


@dataclass(kw_only=True)
class LoadSearch:
    """What is known so far about the largest load."""

    replica: Replica
    level: ServiceLevel
    low: float = 0.0
    """A load that meets the level, or 0."""
    high: float = 0.0
    """A load that does not, or that no load exceeds."""
    is_done: bool = False
    """Whether `low` is the largest load."""
    _bound: float = 0.0
    """Loads above this one need no replay."""
    _has_begun: bool = False

    def __post_init__(self) -> None:
        self.high, self._bound = self.replica.most_load, most_load(self.replica, self.level)
        self.is_done = not self._bound

    @property
    def most_load(self) -> float:
        """The largest load, or a larger one until the search is done. 0: none meets the level."""
        return self.low if self.is_done else min(self.high, self._bound)

    def narrow(self) -> None:
        """Ask one more replay."""
        if not self._has_begun:
            self._has_begun = True
            self.is_done = bool(self.replica.broken(self.replica.alone_seen, self.level))
            return
        while not self.is_done:
            middle = self._next_load()
            is_replayed = middle <= self._bound
            if is_replayed and not self.replica.broken(self.replica.at(middle), self.level):
                self.low = middle
            else:
                self.high = middle
            self.is_done = self._is_narrow()
            if is_replayed:
                return

    def _next_load(self) -> float:
        if self.low or self.level.limits:
            return self._middle(self.low, self.high)
        half = self._middle(0.0, self.replica.most_load)
        upper = self._middle(half, self.replica.most_load)
        return next((load for load in (upper, half) if load < self.high), self._middle(0.0, self.high))

    def _middle(self, low: float, high: float) -> float:
        middle = (low + high) / 2
        return middle if self.replica.traffic.is_open else float(round(middle))

    def _is_narrow(self) -> bool:
        if self.high - self.low <= PRECISION * self.high or self.high <= LEAST_SHARE * self.replica.most_load:
            return True
        return not self.replica.traffic.is_open and self._middle(self.low, self.high) in (self.low, self.high)

    def largest(self) -> float:
        """Return the largest load, or 0 if none meets the level."""
        while not self.is_done:
            self.narrow()
        return self.low
