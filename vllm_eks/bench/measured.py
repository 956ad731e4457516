"""What `vllm bench serve` measured: the fields of its result that 0.21.0, 0.27.0 and 0.32.0 all have."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from vllm_eks.bench.command import PERCENTILES
from vllm_eks.errors import WrongQuestion


@dataclass(frozen=True, kw_only=True)
class Latency:
    """A latency over all requests that were answered, in seconds."""

    mean: float
    percentiles: Mapping[int, float]
    """By percentage: 50, 90 and 99."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The result of one benchmark."""

    completed: int
    failed: int
    duration_seconds: float
    input_tokens: int
    """Of all prompts, as the server counted them."""
    output_tokens: int
    """Of all answers."""
    requests_per_second: float
    output_tokens_per_second: float
    ttft_seconds: Latency
    """Time to the first token."""
    tpot_seconds: Latency
    """Time of an output token after the first one, the mean of each request."""
    itl_seconds: Latency
    """Time between two pieces of an answer, which may have several tokens."""
    e2e_seconds: Latency
    """Time of a whole answer."""


def measured_of(result: Mapping[str, object], *, where: str) -> Measured:
    """Return the result of vLLM's JSON.

    Args:
        result: The object that `--save-result` writes.
        where: Its name in messages.

    Raises:
        WrongQuestion: It is not such an object, or no request was answered.
    """
    reader = _Reader(result, where)
    completed, failed = reader.whole("completed"), reader.whole("failed")
    if not completed:
        raise WrongQuestion(f"{where}: none of {failed} requests was answered: see the log of the model")
    return Measured(
        completed=completed,
        failed=failed,
        duration_seconds=reader.number("duration"),
        input_tokens=reader.whole("total_input_tokens"),
        output_tokens=reader.whole("total_output_tokens"),
        requests_per_second=reader.number("request_throughput"),
        output_tokens_per_second=reader.number("output_throughput"),
        ttft_seconds=reader.latency("ttft"),
        tpot_seconds=reader.latency("tpot"),
        itl_seconds=reader.latency("itl"),
        e2e_seconds=reader.latency("e2el"),
    )


class _Reader:
    """Reads numbers of one object."""

    def __init__(self, result: Mapping[str, object], where: str) -> None:
        self._result = result
        self._where = where

    def number(self, key: str) -> float:
        value = self._result.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise WrongQuestion(f"{self._where}: {key} {value!r} must be a number: is it a result of vllm bench serve?")
        return float(value)

    def whole(self, key: str) -> int:
        return int(self.number(key))

    def latency(self, name: str) -> Latency:
        return Latency(
            mean=self.number(f"mean_{name}_ms") / 1000,
            percentiles={one: self.number(f"p{one}_{name}_ms") / 1000 for one in PERCENTILES},
        )
