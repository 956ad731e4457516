"""What vLLM's HTTP server says about its engine: whether it lives, and whether it moves. Standard library only."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from dataclasses import dataclass

PROGRESS_METRICS = (
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:iteration_tokens_total_count",
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
)
"""All are set from what the engine sends after a step, never by the API server alone. A long prompt moves the use of
the cache before its first token. gpu_cache_usage_perc is the older name (vLLM v1/metrics/loggers.py)."""
RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"

SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{.*\})?\s+(?P<value>\S+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class EngineState:
    """One look at a vLLM server."""

    trouble: str = ""
    """Why it does not answer, or what it answered in place of 200; empty when /health says 200."""
    dead: bool = False
    """Whether /health itself said that the engine is gone (HTTP 503), which does not mend."""
    running: int = 0
    """Requests in the engine's batches."""
    waiting: int = 0
    """Requests that have no place in a batch yet."""
    fingerprint: str = ""
    """Changes whenever the engine has done a step; empty where the metrics could not be read."""


def read_engine(base_url: str, *, timeout_seconds: float) -> EngineState:
    """Ask /health, then /metrics. Neither needs the API key. Never raises."""
    status, said = _get(f"{base_url}/health", timeout_seconds)
    if status != 200:
        dead = status == 503
        trouble = "/health says 503: the engine is dead" if dead else f"/health: {said or f'HTTP {status}'}"
        return EngineState(trouble=trouble, dead=dead)
    status, text = _get(f"{base_url}/metrics", timeout_seconds)
    return state_of(text) if status == 200 else EngineState()


def state_of(metrics: str) -> EngineState:
    """Read the metrics' text (Prometheus exposition format); engines and API servers are summed up."""
    totals: dict[str, float] = {}
    for sample in SAMPLE.finditer(metrics):
        name = sample["name"]
        if name in PROGRESS_METRICS:
            totals[name] = totals.get(name, 0.0) + float(sample["value"])
    return EngineState(
        running=int(totals.get(RUNNING, 0)),
        waiting=int(totals.get(WAITING, 0)),
        fingerprint=" ".join(f"{name}={value!r}" for name, value in sorted(totals.items())),
    )


def _get(url: str, timeout_seconds: float) -> tuple[int, str]:
    """Return status and text; status 0 with the reason where there was no answer."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return 0, f"no answer ({reason or type(error).__name__})"
