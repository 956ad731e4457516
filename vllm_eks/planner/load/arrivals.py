"""When requests arrive: at a rate, or when a user has read the answer before."""

import heapq
import math
from functools import lru_cache
from random import Random
from typing import Protocol

from vllm_eks.planner.load.lengths import Lengths
from vllm_eks.planner.load.replayed import Request
from vllm_eks.planner.load.traffic import Traffic


class Arrivals(Protocol):
    """The source of a replay's requests."""

    @property
    def next_seconds(self) -> float:
        """When the next request arrives. Infinity when that depends on an answer."""
        ...

    def take(self) -> Request:
        """Return the next request."""
        ...

    def finished(self, seconds: float) -> None:
        """Note that a request has its whole answer."""
        ...


def arrivals_of(traffic: Traffic, seed: int) -> Arrivals:
    """Return the arrivals of a traffic. The same seed gives the same requests in the same order at any load."""
    return PoissonArrivals(traffic, seed) if traffic.is_open else UserArrivals(traffic, seed)


class _DrawnRequests:
    """Requests of one distribution of lengths, and the gaps between them in multiples of the mean gap."""

    def __init__(self, lengths: Lengths, seed: int) -> None:
        self._random = Random(seed)
        self._lengths = lengths
        self._rows: list[tuple[float, int, int]] = []

    def row(self, number: int) -> tuple[float, int, int]:
        """Return the gap before a request, and its input and output tokens."""
        while len(self._rows) <= number:
            gap = -math.log(1 - self._random.random())
            self._rows.append((gap, *self._lengths.draw(self._random)))
        return self._rows[number]


@lru_cache(maxsize=8)
def _drawn(lengths: Lengths, seed: int) -> _DrawnRequests:
    # Cached: the replays of all machines of an answer have the same requests.
    return _DrawnRequests(lengths, seed)


class PoissonArrivals:
    """Requests at a rate, without end. Another rate stretches the same arrivals, so that loads can be compared."""

    def __init__(self, traffic: Traffic, seed: int) -> None:
        self._drawn = _drawn(traffic.lengths, seed)
        self._rate = traffic.load
        self._number = 0
        gap, self._read, self._written = self._drawn.row(0)
        self.next_seconds = gap / self._rate

    def take(self) -> Request:
        """Return the next request."""
        request = Request(
            number=self._number,
            arrival=self.next_seconds,
            prompt_tokens=self._read,
            output_tokens=self._written,
        )
        self._number += 1
        gap, self._read, self._written = self._drawn.row(self._number)
        self.next_seconds += gap / self._rate
        return request

    def finished(self, seconds: float) -> None:
        """Do nothing: the rate does not depend on answers."""


class UserArrivals:
    """Users who each send a request, read the answer, and think before the next request.

    Answers that begin before any has ended are cut at a random token: a replay starts in the midst of the traffic, and
    users with requests of one length do not march in step.
    """

    def __init__(self, traffic: Traffic, seed: int) -> None:
        self._random = Random(seed)
        self._cuts = Random(seed + 1)
        self._lengths = traffic.lengths
        self._think_seconds = traffic.think_seconds
        self._number = 0
        self._is_beginning = True
        self._due = [self._think() for _ in range(math.ceil(traffic.load))]
        heapq.heapify(self._due)

    def _think(self) -> float:
        return -math.log(1 - self._random.random()) * self._think_seconds

    @property
    def next_seconds(self) -> float:
        """When the next user sends a request."""
        return self._due[0] if self._due else math.inf

    def take(self) -> Request:
        """Return the next request."""
        read, written = self._lengths.draw(self._random)
        if self._is_beginning:
            written = max(1, math.ceil(written * self._cuts.random()))
        request = Request(
            number=self._number, arrival=heapq.heappop(self._due), prompt_tokens=read, output_tokens=written
        )
        self._number += 1
        return request

    def finished(self, seconds: float) -> None:
        """Let the user of a request send the next one after some time."""
        self._is_beginning = False
        heapq.heappush(self._due, seconds + self._think())
