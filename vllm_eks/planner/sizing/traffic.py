"""Traffic: how often requests arrive, their lengths, and what they share."""

from dataclasses import dataclass, replace

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.sizing.lengths import Lengths

MOST_REQUESTS_PER_SECOND = 100_000.0
MOST_USERS = 1_000_000
MOST_THINK_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The load on a model: either Poisson arrivals, or users who send the next request some time after an answer."""

    lengths: Lengths
    requests_per_second: float | None = None
    concurrent_users: float | None = None
    """Users at the same time. A share of them for one replica may be a fraction."""
    think_seconds: float = 0.0
    """Mean time between an answer and the next request of a user; exponential."""
    shared_prefix_tokens: int = 0
    """The first tokens of each input that all requests share, such as a system prompt."""

    @property
    def is_open(self) -> bool:
        """Whether requests arrive at a rate, however long answers take."""
        return self.requests_per_second is not None

    @property
    def load(self) -> float:
        """Requests per second, or users."""
        return self.requests_per_second if self.requests_per_second is not None else self.concurrent_users or 0.0

    @property
    def load_label(self) -> str:
        """The load with its unit."""
        return load_label(self.load, is_open=self.is_open)

    def at(self, load: float) -> "Traffic":
        """Return the same traffic with another load."""
        if self.is_open:
            return replace(self, requests_per_second=load)
        return replace(self, concurrent_users=load)


def load_label(load: float, *, is_open: bool) -> str:
    """Return a load with its unit.

    >>> load_label(4, is_open=True), load_label(200, is_open=False)
    ('4 requests/s', '200 users')
    """
    return f"{load:,.4g} requests/s" if is_open else f"{load:,.6g} users"


def checked_traffic(
    lengths: Lengths,
    *,
    requests_per_second: float | None,
    concurrent_users: int | None,
    think_seconds: float | None,
    shared_prefix_tokens: int,
) -> Traffic:
    """Return the traffic of the options of `vllm-eks size`.

    Raises:
        WrongQuestion: A value is out of range, or two of them contradict each other.
    """
    if requests_per_second is None and concurrent_users is None:
        raise WrongQuestion("how much load? Use --requests-per-second RATE, or --concurrent-users NUMBER")
    if requests_per_second is not None and concurrent_users is not None:
        raise WrongQuestion("use either --requests-per-second or --concurrent-users, not both")
    if requests_per_second is not None and think_seconds is not None:
        raise WrongQuestion("--think-time is for --concurrent-users: requests per second arrive without waiting")
    in_range("--requests-per-second", requests_per_second, MOST_REQUESTS_PER_SECOND)
    in_range("--concurrent-users", concurrent_users, MOST_USERS)
    if think_seconds is not None and not 0 <= think_seconds <= MOST_THINK_SECONDS:
        raise WrongQuestion(f"--think-time {think_seconds:g} must be from 0 to {MOST_THINK_SECONDS:,.0f} seconds")
    if shared_prefix_tokens < 0:
        raise WrongQuestion(f"--shared-prefix {shared_prefix_tokens} must be 0 or more tokens")
    if shared_prefix_tokens and shared_prefix_tokens >= lengths.input.tokens:
        raise WrongQuestion(
            f"--shared-prefix {shared_prefix_tokens:,} is not below the input of {lengths.input.tokens:,.6g} tokens: "
            "the shared prefix is part of each input"
        )
    return Traffic(
        lengths=lengths,
        requests_per_second=requests_per_second,
        concurrent_users=concurrent_users,
        think_seconds=think_seconds or 0.0,
        shared_prefix_tokens=shared_prefix_tokens,
    )


def in_range(key: str, value: float | None, most: float) -> None:
    """Check that a load is above 0 and at most `most`.

    Raises:
        WrongQuestion: It is not.
    """
    if value is not None and not 0 < value <= most:
        raise WrongQuestion(f"{key} {value:g} must be above 0 and at most {most:,.0f}")
