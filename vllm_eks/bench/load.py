"""The load of one benchmark: arrivals, lengths, and how many requests, as `vllm bench serve` can send them."""

from dataclasses import dataclass

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.load.lengths import Lengths, TokenCount
from vllm_eks.planner.load.numbers import significant
from vllm_eks.planner.load.service_level import written
from vllm_eks.planner.load.traffic import Traffic, load_label

MAX_REQUESTS = 20_000
"""The client keeps every prompt and every token's time in its memory."""
LOAD_SECONDS = 120
"""How long requests arrive by default. The batch fills within it, even where a request takes half a minute."""
REQUESTS_PER_USER = 8
"""By default. The first and the last request of a user run in a smaller batch, and the ones between do not."""
MIN_REQUESTS, MOST_BY_DEFAULT = 50, 2_000
"""Fewer requests have no meaningful 90th percentile."""
SPREAD = 0.9
"""Of lengths around a mean: uniform within 90 % of it, the widest that `vllm bench serve` draws (below 1)."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the benchmark sends. Exactly one of the first two fields is set."""

    requests_per_second: float | None
    """Mean rate of Poisson arrivals, to all replicas together."""
    concurrent_users: int | None
    """Requests in flight: each user sends the next one as soon as the last is answered."""
    input_tokens: int
    """Tokens of a prompt, with the shared ones. The mean if they vary."""
    output_tokens: int
    """Tokens that a request generates, whatever the model wants. The mean if they vary."""
    input_varies: bool = False
    output_varies: bool = False
    shared_prefix_tokens: int = 0
    """Tokens at the beginning of the prompt that are equal in all requests."""
    requests: int
    seed: int
    """Each seed gives other prompts. With the same one, a second run would find its prompts in the prefix cache."""

    @property
    def arrivals(self) -> str:
        """The arrivals as text."""
        if self.concurrent_users is not None:
            return f"{self.concurrent_users} concurrent user{'' if self.concurrent_users == 1 else 's'}"
        return load_label(self.requests_per_second or 0.0, is_open=True)

    @property
    def text(self) -> str:
        """The load as text."""
        shared = f" ({self.shared_prefix_tokens} shared)" if self.shared_prefix_tokens else ""
        read, written = "about " * self.input_varies, "about " * self.output_varies
        return (
            f"{self.requests} requests, {self.arrivals}, {read}{self.input_tokens} input tokens{shared}, "
            f"{written}{self.output_tokens} output tokens"
        )

    @property
    def traffic(self) -> Traffic:
        """The same load for the planner, which draws varying lengths from its own distribution."""
        return Traffic(
            lengths=Lengths(
                input=TokenCount(tokens=self.input_tokens, varies=self.input_varies),
                output=TokenCount(tokens=self.output_tokens, varies=self.output_varies),
            ),
            requests_per_second=self.requests_per_second,
            concurrent_users=self.concurrent_users,
            shared_prefix_tokens=self.shared_prefix_tokens,
        )

    @property
    def longest_request_tokens(self) -> int:
        """Input and output of the longest request."""
        own = self.input_tokens - self.shared_prefix_tokens
        read = self.shared_prefix_tokens + own * (1 + SPREAD * self.input_varies)
        return round(read + self.output_tokens * (1 + SPREAD * self.output_varies))


def load_of(traffic: Traffic, *, requests: int | None, seed: int) -> Load:
    """Return the load that is as near to some traffic as `vllm bench serve` can send.

    Args:
        traffic: The traffic. Lengths of a dataset are taken as lengths around their mean.
        requests: How many requests, or None for the default.
        seed: Of the random prompts.

    Raises:
        WrongQuestion: Its users think between their requests, which the client cannot do.
    """
    if traffic.think_seconds:
        rate = significant(traffic.load / traffic.think_seconds, 3)
        raise WrongQuestion(
            f"vllm bench serve cannot wait {written(traffic.think_seconds)} between the requests of a user: measure "
            f"with --requests-per-second (these users send at most {rate}), or with fewer --concurrent-users who do "
            "not wait"
        )
    users = None if traffic.concurrent_users is None else round(traffic.concurrent_users)
    return Load(
        requests_per_second=traffic.requests_per_second,
        concurrent_users=users,
        input_tokens=round(traffic.lengths.input.tokens),
        output_tokens=round(traffic.lengths.output.tokens),
        input_varies=traffic.lengths.input.varies,
        output_varies=traffic.lengths.output.varies,
        shared_prefix_tokens=traffic.shared_prefix_tokens,
        requests=default_requests(traffic.requests_per_second, users) if requests is None else requests,
        seed=seed,
    )


def default_requests(requests_per_second: float | None, concurrent_users: int | None) -> int:
    """Return how many requests are enough for a steady state and a 90th percentile.

    >>> default_requests(4, None), default_requests(None, 64), default_requests(0.1, None)
    (480, 512, 50)
    """
    wanted = (requests_per_second or 0) * LOAD_SECONDS + (concurrent_users or 0) * REQUESTS_PER_USER
    return max(MIN_REQUESTS, concurrent_users or 0, min(MOST_BY_DEFAULT, round(wanted)))


def require_sendable(load: Load, *, max_model_len: int, model: str) -> None:
    """Refuse a load that the endpoint or the client cannot take.

    Raises:
        WrongQuestion: There are too few or too many requests, or one is longer than the endpoint's context.
    """
    users = load.concurrent_users
    if users is not None and users > MAX_REQUESTS:
        raise WrongQuestion(f"one client cannot send for {users} users: use --concurrent-users {MAX_REQUESTS} or fewer")
    if not 1 <= load.requests <= MAX_REQUESTS:
        raise WrongQuestion(f"--requests {load.requests} must be from 1 to {MAX_REQUESTS}")
    if users is not None and load.requests < users:
        raise WrongQuestion(
            f"--requests {load.requests} is fewer than {users} concurrent users: use {users} or more, better "
            f"{min(REQUESTS_PER_USER * users, MAX_REQUESTS)}"
        )
    tokens = load.longest_request_tokens
    if tokens > max_model_len:
        varies = "up to " * (load.input_varies or load.output_varies)
        raise WrongQuestion(
            f"an input of {load.input_tokens} and an output of {load.output_tokens} are {varies}{tokens} tokens, and "
            f"maxModelLen of {model} is {max_model_len}: use shorter ones"
        )
