"""What vLLM's HTTP server says about its engine: whether it lives, and whether it moves. Standard library only."""

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
"""All are set from what the engine sends after a step, never by the API server alone. A long prompt moves the use of
the cache before its first token. All are in the /metrics of 0.21.0, 0.27.0 and 0.32.0
(tests/data/metrics)."""
REFUSED, LATE = 0, -1
"""In place of an HTTP status, where there was no answer; LATE: not in time."""
RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"

SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{.*\})?\s+(?P<value>\S+)", re.MULTILINE)

WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A stack may give vLLM's container a proxy (`env`), which knows neither localhost nor the group's own names."""


@dataclass(frozen=True, kw_only=True)
class EngineState:
    """One look at a vLLM server. None means that the server does not tell, which is not the same as none."""

    trouble: str = ""
    """Why it does not answer, or what it answered in place of 200; empty when /health says 200."""
    dead: bool = False
    """Whether /health itself said that the engine is gone (HTTP 503), which does not mend."""
    late: bool = False
    """Whether no answer came in time: it hangs, or it is busy."""
    running: int | None = None
    """Requests in the engine's batches, as of its last step."""
    waiting: int | None = None
    """Requests that had no place in a batch at its last step."""
    in_flight: int | None = None
    """Requests that the API server has taken and not answered in full (/load, --enable-server-load-tracking)."""
    fingerprint: str = ""
    """Changes whenever the engine has done a step; empty where the metrics do not tell."""

    @property
    def requests(self) -> int | None:
        """How many requests are under way, by what is told; None where nothing is."""
        engine = None if self.running is None and self.waiting is None else (self.running or 0) + (self.waiting or 0)
        told = [count for count in (engine, self.in_flight) if count is not None]
        return max(told) if told else None


def read_engine(base_url: str, *, timeout_seconds: float) -> EngineState:
    """Ask /health, then /metrics and /load. None of them needs the API key. Never raises."""
    trouble = read_health(base_url, timeout_seconds=timeout_seconds)
    if trouble.trouble:
        return trouble
    status, text = _get(f"{base_url}/metrics", timeout_seconds)
    state = state_of(text) if status == 200 else EngineState()
    status, text = _get(f"{base_url}/load", timeout_seconds)
    return replace(state, in_flight=load_of(text) if status == 200 else None)


def read_health(base_url: str, *, timeout_seconds: float) -> EngineState:
    """Ask /health alone. Never raises."""
    status, said = _get(f"{base_url}/health", timeout_seconds)
    if status == 200:
        return EngineState()
    dead = status == 503
    trouble = "/health says 503: the engine is dead" if dead else f"/health: {said or f'HTTP {status}'}"
    return EngineState(trouble=trouble, dead=dead, late=status == LATE)


def state_of(metrics: str) -> EngineState:
    """Read the metrics' text (Prometheus exposition format); engines and API servers are summed up."""
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
    """Read the answer of /load, such as {"server_load": 5}."""
    try:
        return int(json.loads(text)["server_load"])
    except (ValueError, KeyError, TypeError):
        return None


def answers_a_token(base_url: str, *, model: str, key: str, timeout_seconds: float) -> bool:
    """Ask the engine for one token; tell whether anything came back that only a working engine or a refusal says."""
    body = json.dumps({"model": model, "prompt": "Hello", "max_tokens": 1}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{base_url}/v1/completions", body, headers)
    return _get(request, timeout_seconds)[0] not in (REFUSED, LATE)


def _get(url: str | urllib.request.Request, timeout_seconds: float) -> tuple[int, str]:
    """Return status and text; REFUSED or LATE with the reason where there was no answer."""
    try:
        with WITHOUT_PROXY.open(url, timeout=timeout_seconds) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        late = isinstance(reason, TimeoutError)
        return LATE if late else REFUSED, f"no answer ({reason or type(error).__name__})"
