"""Reads the engine's health and progress from vLLM's HTTP server. Standard library only."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, replace

PROGRESS_METRICS = (
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:iteration_tokens_total_count",
    "vllm:kv_cache_usage_perc",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
)
"""The engine updates all of these after each step, and the API server alone changes none. A long prompt changes the
cache usage before its first token. All are in the /metrics of 0.21.0, 0.27.0 and 0.32.0 (tests/data/metrics)."""
REFUSED, LATE = 0, -1
"""Instead of an HTTP status when there was no answer, or none in time (LATE)."""
RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"

SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{.*\})?\s+(?P<value>\S+)", re.MULTILINE)

WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy set for vLLM's container (`env`) cannot reach localhost or the group's own names."""


@dataclass(frozen=True, kw_only=True)
class EngineState:
    """The state of a vLLM server at one moment. None means unknown, not zero."""

    trouble: str = ""
    """The error, or an empty string when /health returns 200."""
    dead: bool = False
    """Whether /health reports that the engine is dead (HTTP 503), which is final."""
    late: bool = False
    """Whether no answer came in time: the server hangs or is busy."""
    running: int | None = None
    """Requests in the engine's batches at its last step."""
    waiting: int | None = None
    """Requests in the engine's queue at its last step."""
    in_flight: int | None = None
    """Requests that the API server has accepted but not fully answered (/load, --enable-server-load-tracking)."""
    fingerprint: str = ""
    """A text that changes with each step of the engine. Empty when the metrics are missing."""

    @property
    def requests(self) -> int | None:
        """The number of requests in progress, or None when unknown."""
        engine = None if self.running is None and self.waiting is None else (self.running or 0) + (self.waiting or 0)
        counts = [count for count in (engine, self.in_flight) if count is not None]
        return max(counts) if counts else None


def read_engine(base_url: str, *, timeout_seconds: float, metrics_url: str = "") -> EngineState:
    """Read /health, /metrics and /load. Never raises.

    The last two need no API key in the leader's own pod. From another pod, read them at `metrics_url`.
    """
    health = read_health(base_url, timeout_seconds=timeout_seconds)
    if health.trouble:
        return health
    metrics_url = metrics_url or base_url
    status, text = _get(f"{metrics_url}/metrics", timeout_seconds)
    state = state_of(text) if status == 200 else EngineState()
    status, text = _get(f"{metrics_url}/load", timeout_seconds)
    return replace(state, in_flight=load_of(text) if status == 200 else None)


def read_health(base_url: str, *, timeout_seconds: float) -> EngineState:
    """Read only /health. Never raises."""
    status, text = _get(f"{base_url}/health", timeout_seconds)
    if status == 200:
        return EngineState()
    dead = status == 503
    trouble = "/health says 503: the engine is dead" if dead else f"/health: {text or f'HTTP {status}'}"
    return EngineState(trouble=trouble, dead=dead, late=status == LATE)


def state_of(metrics: str) -> EngineState:
    """Parse metrics in Prometheus exposition format. Values of several engines and API servers are added."""
    totals: dict[str, float] = {}
    for sample in SAMPLE.finditer(metrics):
        name = sample["name"]
        if name in PROGRESS_METRICS:
            totals[name] = totals.get(name, 0.0) + float(sample["value"])
    return EngineState(
        running=int(totals[RUNNING]) if RUNNING in totals else None,
        waiting=int(totals[WAITING]) if WAITING in totals else None,
        fingerprint=" ".join(f"{name}={value!r}" for name, value in sorted(totals.items())),
    )


def load_of(text: str) -> int | None:
    """Parse the answer of /load, such as {"server_load": 5}."""
    try:
        return int(json.loads(text)["server_load"])
    except (ValueError, KeyError, TypeError):
        return None


def answers_request(base_url: str, *, model: str, key: str, timeout_seconds: float) -> bool:
    """Request one token, and return whether any HTTP answer came. A refusal counts too."""
    body = json.dumps({"model": model, "prompt": "Hello", "max_tokens": 1}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{base_url}/v1/completions", body, headers)
    return _get(request, timeout_seconds)[0] not in (REFUSED, LATE)


def _get(url: str | urllib.request.Request, timeout_seconds: float) -> tuple[int, str]:
    """Return the status and text, or REFUSED or LATE and the reason when there was no answer."""
    try:
        with WITHOUT_PROXY.open(url, timeout=timeout_seconds) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        late = isinstance(reason, TimeoutError)
        return LATE if late else REFUSED, f"no answer ({reason or type(error).__name__})"
