"""Waits for a condition of another thread or process."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 120
"""Only bounds a failure. A busy machine needs some seconds for what takes milliseconds otherwise."""


def until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds. Raises TimeoutError if it never does."""
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"the condition does not hold after {LIMIT_SECONDS} s")
        time.sleep(0.01)
