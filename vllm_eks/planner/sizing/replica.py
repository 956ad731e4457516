"""One replica under load: replays at any load, and the largest load that meets a service level."""

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, inf
from typing import Literal

from vllm_eks.planner.load.arrivals import arrivals_of
from vllm_eks.planner.load.replay import replay
from vllm_eks.planner.load.replayed import Replay, percentile_of
from vllm_eks.planner.load.scheduler import EngineSizes
from vllm_eks.planner.load.service_level import NAMES, Latency, ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.speed.model import SpeedModel
from vllm_eks.planner.speed.steady import Lengths, Limits, Steady, steady_rate, steady_state
from vllm_eks.planner.speed.step_batch import StepBatch
from vllm_eks.planner.vllm_version import Version

ASYNC_SCHEDULING: Version = (0, 14, 0)
"""Async scheduling is the default since then (release notes of vLLM 0.14.0)."""
SEED = 16
MEASURED = 400
"""Requests that a replay measures: four are above p99."""
ABOVE_CLOSED_FORM = 1.3
"""The search goes this far above the load that a full replica serves by the closed form."""
MOST_GROWTH = 0.1
MOST_WAIT = 0.25
"""Share of its whole time that one request in ten may wait before it begins. A longer wait is that of a full queue."""
MOST_TURNS = 10
"""Or how many times as long as a prompt takes alone. In front of a server that is 90 % busy, one in ten waits 9.9 times
(the tail of an M/D/1 queue: rho / (2 (1 - rho)) ln(rho / 0.1))."""
LOAD = "load"
"""What breaks if a queue grows."""
CHANCE = 2
"""Share of arrivals that may stay without an answer before a load counts as above capacity, and how many standard
deviations of the number of running requests may be added."""
MEASURED_ALONE = 60
"""Requests of the first replay, with one request at a time."""

Pressed = Literal["kv", "seqs", "bandwidth", "flops", "link", "overhead"]
"""What is used up first."""


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One replica of a plan, with one kind of traffic."""

    plan: Plan
    """A plan that fits, with its layout."""
    speed: SpeedModel
    traffic: Traffic
    _replays: dict[tuple[float, int], Replay] = field(default_factory=dict[tuple[float, int], Replay])

    @cached_property
    def engine(self) -> EngineSizes:
        """The sizes of its engine."""
        options, block_tokens = self.plan.options, 16
        tokens = self.kv_tokens
        if self._is_plain:
            block_tokens = self.plan.layout.cache.block_tokens if self.plan.layout else block_tokens
        overlaps = options.version >= ASYNC_SCHEDULING and self.speed.hop_seconds == 0
        return EngineSizes(
            max_num_seqs=options.max_num_seqs,
            max_num_batched_tokens=options.max_num_batched_tokens,
            # The plan holds the longest request, which the mean length may not show.
            blocks=max(int(tokens // block_tokens), ceil(self.traffic.lengths.longest_request / block_tokens)),
            block_tokens=block_tokens,
            prefix_caching=options.prefix_caching is not False and (self._is_plain or options.caches_prefixes),
            steps_in_flight=2 if overlaps else 1,
        )

    @property
    def _is_plain(self) -> bool:
        """Whether each token takes the same memory: one group of layers with full attention."""
        groups = self.plan.layout.cache.groups if self.plan.layout else ()
        return len(groups) == 1 and not groups[0].cache.state_bytes and groups[0].cache.window_tokens is None

    @cached_property
    def kv_tokens(self) -> float:
        """Tokens that the KV cache holds, in requests of the mean length where windows or states make that differ."""
        layout = self.plan.layout
        if layout is None:
            return 0.0
        blocks = layout.blocks[1] - layout.cache.reserved_blocks(self.plan.options.version)
        length = max(1, round(self.traffic.lengths.input.tokens + self.traffic.lengths.output.tokens))
        if self._is_plain:
            return blocks * layout.cache.block_tokens * self.plan.options.decode_context_parallel_size
        return blocks / layout.cache.blocks_per_request(length, self.plan.options) * length

    @cached_property
    def lengths(self) -> Lengths:
        """Mean lengths, for the closed form."""
        read = self.traffic.lengths.input.tokens
        cached = float(self.traffic.shared_prefix_tokens) if self.engine.prefix_caching else 0.0
        return Lengths(
            input_tokens=max(1.0, read - cached),
            output_tokens=max(1.0, self.traffic.lengths.output.tokens),
            cached_tokens=cached,
        )

    @cached_property
    def limits(self) -> Limits:
        """The limits of the closed form."""
        return Limits(
            max_num_seqs=self.plan.options.max_num_seqs,
            max_num_batched_tokens=self.plan.options.max_num_batched_tokens,
            kv_tokens=self.kv_tokens,
        )

    @cached_property
    def full(self) -> Steady:
        """The closed form of a full replica."""
        return steady_rate(self.speed, requests_per_second=inf, lengths=self.lengths, limits=self.limits)

    @cached_property
    def alone(self) -> Steady:
        """The closed form of one request at a time."""
        return steady_state(self.speed, concurrency=1, lengths=self.lengths, limits=self.limits)

    @cached_property
    def most_load(self) -> float:
        """The load at which the search begins: above what a full replica serves."""
        rate = ABOVE_CLOSED_FORM * self.full.requests_per_second.best
        if self.traffic.is_open:
            return rate
        seconds = self.full.running_requests / self.full.requests_per_second.best
        return ceil(rate * (seconds + self.traffic.think_seconds)) + 1

    def at(self, load: float, *, measured: int = MEASURED) -> Replay:
        """Return the replay at a load."""
        key = (load, measured)
        if key not in self._replays:
            self._replays[key] = replay(
                arrivals_of(self.traffic.at(load), SEED),
                self.engine,
                self.speed.seconds,
                measured=measured,
                shared_prefix_tokens=self.traffic.shared_prefix_tokens,
                answer_seconds_of=self.speed.answer_seconds_of,
            )
        return self._replays[key]

    @property
    def alone_seen(self) -> Replay:
        """The replay of one request at a time."""
        return self.at(self.most_load / 1000 if self.traffic.is_open else 1.0, measured=MEASURED_ALONE)

    @property
    def replays(self) -> dict[float, Replay]:
        """The replays so far, by load in ascending order."""
        return {load: one for (load, _), one in sorted(self._replays.items(), key=lambda item: item[0])}

    def broken(self, seen: Replay, level: ServiceLevel) -> str:
        """Return the limit that a replay breaks, such as `TTFT p90`, or `load` if its queue grows, or nothing."""
        if seen.is_cut:
            return LOAD
        growth = seen.growth - CHANCE * seen.mean_running**0.5 / max(1.0, seen.arrivals)
        if growth > MOST_GROWTH or self._waits_too_long(seen):
            return LOAD
        excesses: list[tuple[float, Latency]] = [(self.over(seen, name, level), name) for name in level.limits]
        for excess, name in sorted(excesses, reverse=True)[:1]:
            if excess > 1:
                return f"{NAMES[name]} p{level.limits[name].percentile}"
        return ""

    def _waits_too_long(self, seen: Replay) -> bool:
        """Whether arrivals wait as they do before a queue grows. The level does not matter, so that a looser one never
        costs more. Users send nothing while they wait, and `most_load` bounds their number."""
        if not self.traffic.is_open:
            return False
        most = max(MOST_WAIT * seen.mean_e2e_seconds, MOST_TURNS * self.alone_seen.percentile("ttft", 50))
        return percentile_of(seen.queue_seconds, 90) > most

    @staticmethod
    def over(seen: Replay, name: Latency, level: ServiceLevel) -> float:
        """Return a latency as a multiple of its limit."""
        limit = level.limits[name]
        return seen.percentile(name, limit.percentile) / limit.seconds

    def pressed(self, seen: Replay) -> Pressed:
        """Return what is used up first in a replay."""
        if seen.waits_seconds and max(seen.waits_seconds.values()) > 0.1 * seen.measured_seconds:
            return max(seen.waits_seconds, key=lambda name: seen.waits_seconds[name])
        batch = StepBatch(
            decoding_requests=max(1.0, seen.mean_decoding),
            decoding_context_tokens=max(1.0, seen.mean_context_tokens),
            prompt_tokens=seen.requests_per_second * self.lengths.input_tokens * seen.mean_step_seconds,
            prompts=seen.requests_per_second * seen.mean_step_seconds,
        )
        times = self.speed.step_time(batch)
        parts: dict[Pressed, float] = {
            "bandwidth": times.bandwidth,
            "flops": times.flops,
            "link": times.link,
            "overhead": times.overhead,
        }
        return max(parts, key=lambda name: parts[name])
