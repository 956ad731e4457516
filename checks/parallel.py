"""Several questions at once: the checks wait for the slowest answer, not for the sum of all."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vllm_eks.check import Check

DEADLINE_SECONDS = 90
"""How long all questions together may take; one request may take a minute where a service is out of reach."""


def in_parallel(
    parts: Mapping[str, Callable[[], Any]], *, deadline_seconds: float = DEADLINE_SECONDS
) -> dict[str, Any]:
    """Call every part in a thread of its own and return its result by name.

    A part that fails, or is not done at the deadline, gives a check that says so in place of its result.
    """
    results: dict[str, Any] = {}

    def run(name: str, part: Callable[[], Any]) -> None:
        try:
            result = part()
        except Exception as error:  # an answer of a shape that nobody foresaw stops no deployment
            result = _unknown(name, f"the answer could not be read ({type(error).__name__}: {error})")
        results.setdefault(name, result)

    # Daemons: a thread that still waits must not keep the program from ending.
    threads = [threading.Thread(target=run, args=part, daemon=True) for part in parts.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + deadline_seconds
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
    late = f"no answer within {deadline_seconds:.0f} s"
    return {name: results.setdefault(name, _unknown(name, late)) for name in parts}


def checks_of(result: object) -> Iterable[Check]:
    """Return a part's result as checks, whether it is one, none or several."""
    if result is None:
        return ()
    return (result,) if isinstance(result, Check) else tuple(result)  # type: ignore[arg-type]


def _unknown(name: str, text: str) -> Check:
    return Check(subject=name, status="unknown", text=text)
