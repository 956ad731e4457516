"""Throughput and latency in steady state, in closed form: a number of users who each send the next request when the
last one is answered, or requests that arrive at a rate.

In steady state the number of requests that end in a step equals the number of prompts that begin. So a request sees one
prompt of each of the others in the steps of its own answer, which makes its tokens later.
"""

from dataclasses import dataclass
from math import ceil, inf

from vllm_eks.planner.ranges import Range
from vllm_eks.planner.speed.model import SpeedModel
from vllm_eks.planner.speed.step_batch import StepBatch

KV_CACHE = "KV cache"
MAX_NUM_SEQS = "max_num_seqs"
MOST_SEARCH_STEPS = 40
"""Steps of the search for the concurrency of a rate. It takes about eight."""
CLOSE = 1e-6
"""The search ends where the rate times the time of a request is the concurrency, up to this share of it."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What bounds the requests that run at once, and the tokens of a step."""

    max_num_seqs: int
    max_num_batched_tokens: int
    kv_tokens: float
    """Tokens that the KV cache holds."""


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Mean lengths of a request."""

    input_tokens: float
    """Without those that prefix caching finds."""
    output_tokens: float
    cached_tokens: float = 0.0
    """Tokens of the prompt that prefix caching finds: no work, but part of the context."""

    @property
    def mean_context_tokens(self) -> float:
        """Tokens in the KV cache of a request on average while it gets its answer."""
        return self.cached_tokens + self.input_tokens + self.output_tokens / 2


@dataclass(frozen=True, kw_only=True)
class Steady:
    """The speed of one replica at one load, each with its range."""

    running_requests: float
    waiting_requests: float
    output_tokens_per_second: Range
    requests_per_second: Range
    ttft_seconds: Range
    """Mean time to the first token."""
    tpot_seconds: Range
    """Mean time of an output token after the first one."""
    limit: str
    """What limits it: bandwidth, flops, link, overhead, KV cache or max_num_seqs."""
    is_saturated: bool
    """Whether requests arrive faster than they are answered, so that the wait grows without end."""


@dataclass(frozen=True, kw_only=True)
class _Cycle:
    """The best estimates of one request among n running ones."""

    running: float
    ttft_seconds: float
    tpot_seconds: float
    seconds: float
    """From its arrival in the engine to its last token."""
    prompt_seconds: float
    """By which one prompt delays the others."""
    busy: float
    """Share of the time that prompts take."""


def steady_state(
    speed: SpeedModel,
    *,
    concurrency: float,
    lengths: Lengths,
    limits: Limits,
    rounds: float = inf,
) -> Steady:
    """Return the speed with a constant number of requests, running or waiting.

    Args:
        speed: The replica.
        concurrency: The requests.
        lengths: Their mean lengths.
        limits: What bounds the running ones.
        rounds: Requests of each user, if all begin at once. The first prompts wait for each other.
    """
    most = _most_running(lengths, limits)
    running = min(concurrency, most)
    # A user who sends a request finds those of the other users.
    others = max(0.0, running - 1)
    cycle = _cycle(speed, running, lengths, limits, others=others)
    waiting = max(0.0, concurrency - most)
    wait = waiting / running * cycle.seconds + others * cycle.prompt_seconds / 2 / rounds
    return _steady(speed, cycle, lengths, limits, waiting=waiting, wait_seconds=wait, is_saturated=False)


def steady_rate(speed: SpeedModel, *, requests_per_second: float, lengths: Lengths, limits: Limits) -> Steady:
    """Return the speed when requests arrive at this rate. Above what the replica can serve, that of a full replica."""
    most = _most_running(lengths, limits)
    full = _open(speed, most, lengths, limits)
    if requests_per_second * full.seconds >= most:
        return _steady(speed, full, lengths, limits, waiting=0.0, wait_seconds=0.0, is_saturated=True)
    cycle = _of_rate(speed, requests_per_second, lengths, limits, full)
    return _steady(speed, cycle, lengths, limits, waiting=0.0, wait_seconds=0.0, is_saturated=False)


def _open(speed: SpeedModel, running: float, lengths: Lengths, limits: Limits) -> _Cycle:
    # A request that arrives by chance finds as many as run on average.
    return _cycle(speed, running, lengths, limits, others=running)


def _of_rate(speed: SpeedModel, requests_per_second: float, lengths: Lengths, limits: Limits, full: _Cycle) -> _Cycle:
    """Return the cycle whose concurrency is the rate times its time (Little's law), below that of a full replica.

    The search is a false position (Illinois), which keeps both ends: chunks of prompts make the time jump.
    """

    def excess(cycle: _Cycle) -> float:
        return requests_per_second * cycle.seconds - cycle.running

    cycle = _open(speed, 0.0, lengths, limits)
    low, above, high, below = 0.0, excess(cycle), full.running, excess(full)
    for _ in range(MOST_SEARCH_STEPS):
        middle = (low * below - high * above) / (below - above)
        was, cycle = excess(cycle), _open(speed, middle, lengths, limits)
        now = excess(cycle)
        if abs(now) <= CLOSE * middle or high - low <= CLOSE * high:
            break
        # An end that stays twice counts half, so that it moves too.
        if now > 0:
            low, above, below = middle, now, below / 2 if was > 0 else below
        else:
            high, below, above = middle, now, above / 2 if was <= 0 else above
    return cycle


def _most_running(lengths: Lengths, limits: Limits) -> float:
    """Return how many requests run at once: at least one, also where the KV cache holds less than one."""
    return max(1.0, min(float(limits.max_num_seqs), limits.kv_tokens / lengths.mean_context_tokens))


def _cycle(speed: SpeedModel, running: float, lengths: Lengths, limits: Limits, *, others: float) -> _Cycle:
    """Return the times of a request that shares the replica with this many others."""
    output, prompt = lengths.output_tokens, lengths.input_tokens
    decoding = StepBatch(
        decoding_requests=max(1.0, running), decoding_context_tokens=max(1.0, running) * lengths.mean_context_tokens
    )
    step = speed.step_seconds(decoding)
    # Where answers are shorter than the number of requests, several prompts share a step.
    together = max(1.0, running / output)
    room = max(1.0, limits.max_num_batched_tokens - decoding.decoding_requests)
    chunks = max(1, ceil(together * prompt / room))
    context = lengths.cached_tokens + prompt / 2
    with_prompts = speed.step_seconds(
        StepBatch(
            decoding_requests=decoding.decoding_requests,
            decoding_context_tokens=decoding.decoding_context_tokens,
            prompt_tokens=together * prompt / chunks,
            prompt_context_tokens=together * prompt * context / chunks,
            prompts=together / chunks,
        )
    )
    added = chunks * (with_prompts - step) / together
    tpot = step + others / output * added
    own = chunks * step + together * added
    busy = min(0.95, others * added / (own + (output - 1) * tpot))
    # Poisson arrivals: the wait for prompts before one's own, of a queue with constant service (M/D/1).
    ttft = speed.answer_seconds_of(prompt + lengths.cached_tokens)
    # A lone request finds no step of others that must end first.
    ttft += step / 2 * min(1.0, others) + own + added * busy / (2 * (1 - busy))
    return _Cycle(
        running=running,
        ttft_seconds=ttft,
        tpot_seconds=tpot,
        seconds=ttft + (output - 1) * tpot,
        prompt_seconds=added,
        busy=busy,
    )


def _steady(
    speed: SpeedModel,
    cycle: _Cycle,
    lengths: Lengths,
    limits: Limits,
    *,
    waiting: float,
    wait_seconds: float,
    is_saturated: bool,
) -> Steady:
    per_second = cycle.running / cycle.seconds
    spread = speed.evidence.spread
    return Steady(
        running_requests=cycle.running,
        waiting_requests=waiting,
        output_tokens_per_second=spread.output * (per_second * lengths.output_tokens),
        requests_per_second=spread.output * per_second,
        ttft_seconds=spread.ttft * (cycle.ttft_seconds + wait_seconds),
        tpot_seconds=spread.tpot * cycle.tpot_seconds,
        limit=_limit(speed, cycle, lengths, limits, is_full=waiting > 0 or is_saturated),
        is_saturated=is_saturated,
    )


def _limit(speed: SpeedModel, cycle: _Cycle, lengths: Lengths, limits: Limits, *, is_full: bool) -> str:
    if is_full:
        return MAX_NUM_SEQS if cycle.running >= limits.max_num_seqs else KV_CACHE
    if cycle.busy > 0.5:
        return "flops"
    batch = StepBatch(
        decoding_requests=max(1.0, cycle.running),
        decoding_context_tokens=max(1.0, cycle.running) * lengths.mean_context_tokens,
    )
    return speed.step_time(batch).limit
