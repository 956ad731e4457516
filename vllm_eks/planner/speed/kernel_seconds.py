"""Seconds of kernels: what they read, what they compute, and how both overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from vllm_eks.planner.speed.work import Routing

SHARPNESS = 4
"""How a kernel's time for memory and for arithmetic combine: (m**4 + f**4)**(1/4), 19 % above both where they are
equal, and the larger one elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """Seconds to read the weights once, and seconds per token."""

    read: float
    per_token: float


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Layers with one window: seconds per token of context."""

    window_tokens: float
    seconds: float


class Part(NamedTuple):
    """Seconds of a part of a step: for memory, for arithmetic, and for both as they overlap."""

    memory: float
    flops: float
    total: float

    @classmethod
    def of(cls, memory: float, flops: float) -> "Part":
        """Return the part of one kernel."""
        return cls(memory, flops, larger(memory, flops))


def kinds(parts: Sequence[tuple[int | None, float]]) -> tuple[Kind, ...]:
    """Return one kind for each window, with the seconds of its layers added up."""
    sums: dict[float, float] = {}
    for window, seconds in parts:
        key = inf if window is None else float(window)
        sums[key] = sums.get(key, 0.0) + seconds
    return tuple(Kind(window_tokens=window, seconds=seconds) for window, seconds in sums.items() if seconds)


def context_seconds(kinds: Sequence[Kind], context_tokens: float) -> float:
    """Return the seconds of all layers for one token with this context, or one request."""
    seconds = 0.0
    for kind in kinds:
        seconds += kind.seconds * (context_tokens if context_tokens < kind.window_tokens else kind.window_tokens)
    return seconds


def touched(routing: Routing, tokens: float) -> float:
    """Return the share of the experts that at least one of these tokens is routed to, if routing is even."""
    return 1 - (1 - routing.per_token / routing.count) ** tokens


def larger(memory: float, flops: float) -> float:
    """Return how long a kernel takes that needs so long for memory, and so long for arithmetic."""
    return (memory**SHARPNESS + flops**SHARPNESS) ** (1 / SHARPNESS)
