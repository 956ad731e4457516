"""Runs checks in parallel, so that the time is that of the slowest one."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from vllm_eks.check import Check

Result = TypeVar("Result")

DEADLINE_SECONDS = 90
"""Limit for all checks together. One request to an unreachable service may take a minute."""


def in_parallel(
    parts: Mapping[str, Callable[[], Result]], *, deadline_seconds: float = DEADLINE_SECONDS
) -> dict[str, Result | Check]:
    """Call each part in its own thread, and return the results by name.

    A part that fails or exceeds the deadline returns a check with status unknown instead of its result.
    """
    results: dict[str, Result | Check] = {}

    def run(name: str, part: Callable[[], Result]) -> None:
        try:
            result = part()
        except Exception as error:  # an unexpected response must not stop a deployment
            result = _unknown(name, f"the answer could not be read ({type(error).__name__}: {error})")
        results.setdefault(name, result)

    # Daemon threads, so that a thread that still waits does not keep the program running.
    threads = [threading.Thread(target=run, args=part, daemon=True) for part in parts.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + deadline_seconds
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
    late = f"no answer within {deadline_seconds:.0f} s"
    return {name: results.setdefault(name, _unknown(name, late)) for name in parts}


def _unknown(name: str, text: str) -> Check:
    return Check(subject=name, status="unknown", text=text)
