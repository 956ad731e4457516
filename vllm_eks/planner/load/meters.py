"""What a replay measures, from the end of its warm-up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vllm_eks.planner.load.replayed import Replay, Request, Waits

LEAST_WARM_UP = 20
WARM_UP_ROUNDS = 2
"""The measurement begins when this many requests, or this many times the running ones, have finished."""

MOST_SCHEDULED = 30_000
MOST_WAITING = 2_000
"""Steps, equal ones counted once, and waiting requests, after which a replay ends: the load is far above capacity."""


@dataclass(slots=True, kw_only=True)
class Meters:
    """Sums over the measured time, and the measured requests."""

    measured: int
    """Requests to measure."""
    began: float | None = None
    ended: float = 0.0
    members: list[Request] = field(default_factory=list[Request])
    left: int = 0
    finished: int = 0
    """Requests that finished at any time."""
    finished_in_time: int = 0
    arrived_in_time: int = 0
    written: float = 0.0
    itl_steps: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    running_seconds: float = 0.0
    decoding_seconds: float = 0.0
    context_seconds: float = 0.0
    used_seconds: float = 0.0
    peak_used: int = 0
    preemptions: int = 0
    waits_seconds: dict[Waits, float] = field(default_factory=dict[Waits, float])
    steps: int = 0
    scheduled: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all requests to measure have their answers."""
        return len(self.members) == self.measured and not self.left

    def is_over(self, *, waiting: int) -> bool:
        """Return whether all is measured, or the load is so far above capacity that there is no end."""
        return self.is_complete or self.scheduled >= MOST_SCHEDULED or waiting >= MOST_WAITING

    def arrived(self, request: Request, *, running: int) -> None:
        """Count a request among the measured ones if the warm-up is over."""
        if self.began is None:
            if self.finished < max(LEAST_WARM_UP, WARM_UP_ROUNDS * running):
                return
            self.began = request.arrival
        self.arrived_in_time += 1
        if len(self.members) < self.measured:
            self.members.append(request)
            self.left += 1

    def tokens(self, gap_seconds: float, count: float) -> None:
        """Count tokens that came this long after the ones before."""
        if self.began is not None:
            self.itl_steps.append((gap_seconds, count))
            self.written += count

    def first_tokens(self, count: int) -> None:
        """Count first tokens."""
        if self.began is not None:
            self.written += count

    def passed(
        self,
        begin: float,
        end: float,
        *,
        steps: int,
        running: float,
        decoding: int,
        context_tokens: float,
        used: float,
        waits: Waits | None,
    ) -> None:
        """Count the time of steps with these means."""
        self.steps += steps
        self.scheduled += 1
        if self.began is None:
            return
        seconds = end - begin
        self.ended = end
        self.running_seconds += running * seconds
        self.decoding_seconds += decoding * seconds
        self.context_seconds += context_tokens * seconds
        self.used_seconds += used * seconds
        self.peak_used = max(self.peak_used, int(used))
        if waits:
            self.waits_seconds[waits] = self.waits_seconds.get(waits, 0.0) + seconds

    def done(self, request: Request) -> None:
        """Count a finished request."""
        self.finished += 1
        if self.began is None:
            return
        self.finished_in_time += 1
        self.preemptions += request.preemptions
        if self.members and self.members[0].number <= request.number <= self.members[-1].number:
            self.left -= 1

    def result(self, blocks: int, answer_seconds_of: Callable[[float], float]) -> Replay:
        """Return what was measured.

        Args:
            blocks: KV-cache blocks of the replica.
            answer_seconds_of: Time outside the engine that the first token waits for, by tokens of the prompt.
        """
        seconds = max(self.ended - (self.began or 0.0), 1e-9)
        done: Sequence[Request] = [one for one in self.members if one.finished]
        outside = [answer_seconds_of(one.prompt_tokens) for one in done]
        return Replay(
            ttft_seconds=[one.first_token - one.arrival + more for one, more in zip(done, outside, strict=True)],
            e2e_seconds=[one.last_token - one.arrival + more for one, more in zip(done, outside, strict=True)],
            queue_seconds=[one.first_scheduled - one.arrival for one in done],
            itl_steps=self.itl_steps,
            output_tokens_per_second=self.written / seconds,
            requests_per_second=self.finished_in_time / seconds,
            mean_running=self.running_seconds / seconds,
            mean_decoding=self.decoding_seconds / seconds,
            mean_context_tokens=self.context_seconds / seconds,
            kv_use=self.used_seconds / seconds / blocks,
            peak_kv_use=self.peak_used / blocks,
            preemptions=self.preemptions,
            waits_seconds=self.waits_seconds,
            growth=1 - self.finished_in_time / max(1, self.arrived_in_time),
            is_cut=not self.is_complete,
            arrivals=self.arrived_in_time,
            measured_seconds=seconds,
            steps=self.steps,
            scheduled=self.scheduled,
        )
