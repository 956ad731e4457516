"""The requests of a replay, and what they saw."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

from vllm_eks.planner.load.service_level import Latency

Waits = Literal["kv", "seqs"]
"""What the first waiting request waits for: KV-cache blocks, or room below max_num_seqs."""


@dataclass(slots=True, kw_only=True)
class Request:
    """A request of the replay. Its times are in seconds, counted from the start of the replay."""

    number: int
    arrival: float
    prompt_tokens: int
    output_tokens: int
    written: int = 0
    """Output tokens so far."""
    computed: int = 0
    """Tokens in the KV cache, while the request is not decoding."""
    offset: int = 0
    """Tokens in the KV cache less the replay's decode steps, while it is decoding."""
    blocks: int = 0
    """Blocks of a prompt in work, shared ones included. Those of a decoding request follow from its tokens."""
    shared_blocks: int = 0
    """Blocks of the shared prefix among them."""
    decoding: bool = False
    first_scheduled: float = -1.0
    first_token: float = -1.0
    last_token: float = -1.0
    """Of a request that is preempted or finished."""
    finished: bool = False
    preemptions: int = 0


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What the measured requests of a replay saw."""

    ttft_seconds: Sequence[float]
    e2e_seconds: Sequence[float]
    queue_seconds: Sequence[float]
    """Time from arrival to the first step."""
    itl_steps: Sequence[tuple[float, float]]
    """(seconds, number of tokens) for gaps between two tokens of a request."""
    output_tokens_per_second: float
    requests_per_second: float
    mean_running: float
    mean_decoding: float
    mean_context_tokens: float
    """Tokens in the KV cache of all decoding requests, on average over time."""
    kv_use: float
    """Share of the KV cache in use, on average over time."""
    peak_kv_use: float
    preemptions: int
    waits_seconds: dict[Waits, float]
    """For how long the first waiting request waited for what."""
    growth: float
    """Requests that arrived and were not answered, as a share of all that arrived."""
    is_cut: bool
    """Whether the replay ended early, because the load is far above capacity."""
    arrivals: int
    """All requests that arrived in the measured time."""
    measured_seconds: float
    steps: int
    """Engine steps."""
    scheduled: int
    """Steps that were computed. Equal steps in a row are computed as one."""
    _sorted: dict[str, list[tuple[float, float]]] = field(default_factory=dict[str, list[tuple[float, float]]])

    def percentile(self, latency: Latency, percentile: int) -> float:
        """Return a latency in seconds at a percentile."""
        if latency == "itl":
            return self._of_steps(percentile)
        return percentile_of(self.ttft_seconds if latency == "ttft" else self.e2e_seconds, percentile)

    def _of_steps(self, percentile: int) -> float:
        steps = self._sorted.setdefault("itl", sorted(self.itl_steps))
        if not steps:
            return 0.0
        sums = list(accumulate(weight for _, weight in steps))
        return steps[min(len(steps) - 1, bisect_left(sums, sums[-1] * percentile / 100))][0]

    @property
    def mean_step_seconds(self) -> float:
        """The mean time between two tokens of a request."""
        tokens = sum(count for _, count in self.itl_steps)
        return sum(gap * count for gap, count in self.itl_steps) / tokens if tokens else 0.0

    @property
    def mean_e2e_seconds(self) -> float:
        """The mean time of a request."""
        return sum(self.e2e_seconds) / len(self.e2e_seconds) if self.e2e_seconds else 0.0


def percentile_of(values: Sequence[float], percentile: int) -> float:
    """Return a percentile, between the two nearest values as numpy and `vllm bench serve` do."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    place = (len(ordered) - 1) * percentile / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
