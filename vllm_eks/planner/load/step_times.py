"""The time of steps, which a speed model gives."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

Trace = Callable[[int, dict[int, int]], None]
"""Called with a number of equal steps, and the tokens of each request in one of them."""


class StepSeconds(Protocol):
    """The time of one step."""

    def __call__(
        self,
        *,
        decoding_requests: float,
        decoding_context_tokens: float,
        prompt_tokens: float = 0.0,
        prompt_context_tokens: float = 0.0,
        prompts: float = 0.0,
    ) -> float:
        """Return the seconds of a step with this batch."""
        ...


class EqualSteps(NamedTuple):
    """Steps in which nothing but decoding happens. Their time grows linearly with the context.

    A named tuple: a replay makes some 100,000, in half the time that a frozen dataclass takes.
    """

    steps: int
    first_seconds: float
    slope: float
    """By how much each step is longer than the one before."""

    @classmethod
    def of(cls, step_seconds: StepSeconds, decoding: int, context_tokens: int, steps: int) -> "EqualSteps":
        """Return as many steps of requests that have this context before the first one."""
        first = step_seconds(decoding_requests=decoding, decoding_context_tokens=context_tokens + decoding)
        if steps == 1:
            return cls(steps=1, first_seconds=first, slope=0.0)
        last = step_seconds(decoding_requests=decoding, decoding_context_tokens=context_tokens + steps * decoding)
        return cls(steps=steps, first_seconds=first, slope=(last - first) / (steps - 1))

    @property
    def last_seconds(self) -> float:
        """The time of the last step."""
        return self.first_seconds + self.slope * (self.steps - 1)

    @property
    def mean_seconds(self) -> float:
        """The mean time of a step."""
        return (self.first_seconds + self.last_seconds) / 2

    def first(self, steps: int) -> "EqualSteps":
        """Return the first of the steps only."""
        return EqualSteps(steps=steps, first_seconds=self.first_seconds, slope=self.slope)

    def before(self, seconds: float) -> int:
        """Return how many of the steps end before this time."""
        low, high = 0, self.steps
        while low < high:
            middle = (low + high + 1) // 2
            if middle * self.first_seconds + self.slope * middle * (middle - 1) / 2 < seconds:
                low = middle
            else:
                high = middle - 1
        return low


NO_STEPS = EqualSteps(steps=0, first_seconds=0.0, slope=0.0)
