"""A load that one replica surely does not exceed at a service level, in closed form.

The slowest requests of a percentile have lengths of at least that percentile, and their tokens take as long as those of
all requests on average. So a limit bounds the requests that run, and with them the load.
"""

from math import inf

from vllm_eks.planner.load.service_level import Latency, Limit, ServiceLevel
from vllm_eks.planner.sizing.replica import ABOVE_CLOSED_FORM, Replica
from vllm_eks.planner.speed.steady import Steady, steady_state

CLOSED_FORM_ERROR = 1.3
"""How far a latency of the replay may be below that of the closed form, and a load above."""
LEAST_PERCENTILE = 50
"""Below the median, a latency says little about the requests that run on average."""
RARE_PERCENTILE = 90
"""From here on, few of the tokens may come in a step with a prompt that makes it too long."""


def most_load(replica: Replica, level: ServiceLevel) -> float:
    """Return a load that one replica surely does not exceed at a service level. 0: it never meets it."""
    bounds = [_most_running(replica, name, limit) for name, limit in level.limits.items()]
    return min([replica.most_load, *(_load_of(replica, running) for running in bounds)])


def _most_running(replica: Replica, name: Latency, limit: Limit) -> float:
    """Return how many requests may run at most on average. Infinity: any number."""
    if limit.percentile < LEAST_PERCENTILE:
        return inf
    low, high = 0, replica.limits.max_num_seqs
    while low < high:
        middle = (low + high + 1) // 2
        if _least_seconds(replica, name, limit.percentile, middle) <= limit.seconds:
            low = middle
        else:
            high = middle - 1
    if low == replica.limits.max_num_seqs:
        low = inf
    return min(low, _most_between_prompts(replica, limit)) if name == "itl" and low else low


def _least_seconds(replica: Replica, name: Latency, percentile: int, running: int) -> float:
    """Return a latency that requests surely do not fall below if so many run on average."""
    lengths, speed = replica.traffic.lengths, replica.speed
    if name == "itl":
        return _decode_seconds(replica, running)
    if name == "e2e":
        tokens = lengths.output_at(percentile / 100) - 1
        return (speed.answer_seconds + tokens * _steady(replica, running).tpot_seconds.best) / CLOSED_FORM_ERROR
    prompt = max(1.0, lengths.input_at(percentile / 100) - replica.lengths.cached_tokens)
    return (speed.answer_seconds + _prompt_seconds(replica, running - 1, prompt)) / CLOSED_FORM_ERROR


def _most_between_prompts(replica: Replica, limit: Limit) -> float:
    """Return how many requests may run if steps with prompts are too long, and only few tokens may come in them.

    Each request has one step with its prompt, in which the others get a token. As a share of all tokens these are the
    requests that run, over the tokens of an answer.
    """
    if limit.percentile < RARE_PERCENTILE:
        return inf
    low, high = 0, 100
    while low < high:
        middle = (low + high) // 2
        prompt = max(1.0, replica.traffic.lengths.input_at(middle / 100) - replica.lengths.cached_tokens)
        if _prompt_seconds(replica, 1, prompt) > CLOSED_FORM_ERROR * limit.seconds:
            high = middle
        else:
            low = middle + 1
    too_long = 1 - low / 100
    if too_long <= 0:
        return inf
    return 1 + (1 - limit.percentile / 100) * replica.lengths.output_tokens / too_long


def _load_of(replica: Replica, running: float) -> float:
    """Return a load above the one at which so many requests run."""
    if running in (0, inf):
        return running
    factor = CLOSED_FORM_ERROR * ABOVE_CLOSED_FORM
    rate = _steady(replica, running).requests_per_second.best
    if replica.traffic.is_open:
        return factor * rate
    return factor * (running + rate * replica.traffic.think_seconds) + 1


def _steady(replica: Replica, running: float) -> Steady:
    return steady_state(replica.speed, concurrency=running, lengths=replica.lengths, limits=replica.limits)


def _decode_seconds(replica: Replica, running: float) -> float:
    return replica.speed.seconds(
        decoding_requests=running, decoding_context_tokens=running * replica.lengths.mean_context_tokens
    )


def _prompt_seconds(replica: Replica, decoding: float, prompt: float) -> float:
    return replica.speed.seconds(
        decoding_requests=decoding,
        decoding_context_tokens=decoding * replica.lengths.mean_context_tokens,
        prompt_tokens=prompt,
        prompt_context_tokens=prompt * (replica.lengths.cached_tokens + prompt / 2),
        prompts=1,
    )
