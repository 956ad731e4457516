"""Traffic: how often requests arrive, their lengths, and what they share."""

from dataclasses import dataclass, replace

from vllm_eks.planner.load.lengths import Lengths
from vllm_eks.planner.load.numbers import significant


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

    >>> load_label(4, is_open=True), load_label(1, is_open=True), load_label(1_000_000, is_open=False)
    ('4 requests/s', '1 request/s', '1,000,000 users')
    """
    number = significant(load, 4) if is_open else f"{load:,.0f}"
    plural = "" if number == "1" else "s"
    return f"{number} request{plural}/s" if is_open else f"{number} user{plural}"
