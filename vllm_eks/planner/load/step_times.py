"""The time of steps, which a speed model gives."""

from collections.abc import Callable
from typing import Protocol

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


def steps_before(seconds: float, first: float, slope: float, most: int) -> int:
    """Return how many equal steps end before this time, up to `most`."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if middle * first + slope * middle * (middle - 1) / 2 < seconds:
            low = middle
        else:
            high = middle - 1
    return low
