"""What a middleware counts and logs by client, for tests."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY

from vllm_eks.pods.client_keys import stored_digest

KEY = "a-key-of-team-a-1"
SECRET = {
    "apiKey": "first",
    "client.team-a": stored_digest("salt", KEY),
    "denied.team-b": stored_digest("salt", "a-key-of-team-b-1"),
}
METRICS = {
    "vllm_eks_client_requests_total": ("client", "status"),
    "vllm_eks_client_tokens_total": ("client", "kind"),
    "vllm_eks_client_refusals_total": ("client", "reason"),
}


class Counts:
    """What the metrics have gained since the last look, as {(metric, label values...): number}."""

    def __init__(self) -> None:
        self._before = self._all()

    def new(self) -> dict[tuple[str, ...], float]:
        now = self._all()
        gained = {key: value - self._before.get(key, 0) for key, value in now.items()}
        self._before = now
        return {key: value for key, value in gained.items() if value}

    @staticmethod
    def _all() -> dict[tuple[str, ...], float]:
        return {
            (one.name.removeprefix("vllm_eks_client_").removesuffix("_total"), *one.labels.values()): one.value
            for metric in REGISTRY.collect()
            for one in metric.samples
            if one.name in METRICS
        }


class Lines(logging.Handler):
    """The lines of a log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def logged() -> Iterator[list[str]]:
    """Return the lines of vLLM's log. None may have a key."""
    handler, log = Lines(), logging.getLogger("vllm")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler.lines
    log.removeHandler(handler)
    assert not [line for line in handler.lines if KEY in line or "first" in line], "a key in the log"
