"""Alerts of latencies above their limits, and vLLM's histograms that they read."""

from collections.abc import Iterator, Sequence
from math import ceil

from vllm_eks.monitoring.rule import AlertRule
from vllm_eks.monitoring.series import Scope, one_line
from vllm_eks.monitoring.watched import WatchedModel
from vllm_eks.planner.load.service_level import MEANINGS, NAMES, Latency, Limit, duration

MISSED_SECONDS = 600
HISTOGRAMS: dict[Latency, str] = {
    "ttft": "vllm:time_to_first_token_seconds",
    "itl": "vllm:inter_token_latency_seconds",
    "e2e": "vllm:e2e_request_latency_seconds",
}
"""vLLM's histogram of each latency. Before 0.12, the time between tokens was vllm:time_per_output_token_seconds."""
BOUNDS: dict[Latency, Sequence[float]] = {
    "ttft": (
        *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80),
        *(160, 640),
    ),
    "itl": (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40),
    "e2e": (*(0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920),),
}
"""The upper bounds of the histograms' buckets in seconds (vLLM 0.21.0 to 0.32.0, vllm/v1/metrics/loggers.py). They are
the only times that Prometheus can compare a latency with: between two of them it guesses. Each last one is left out:
histogram_quantile never returns more (Prometheus, functions)."""
LEAST_ABOVE = 2
"""Requests above a percentile, below which the percentile says nothing: p90 needs 20 requests, p99 200."""


def alert_seconds(latency: Latency, limit: Limit) -> float | None:
    """Return the time above which the alert of a limit fires: the next bound, or None above the largest one.

    >>> alert_seconds("itl", Limit(seconds=0.04, percentile=50)), alert_seconds("itl", Limit(seconds=60, percentile=50))
    (0.05, None)
    """
    return next((bound for bound in BOUNDS[latency] if bound >= limit.seconds), None)


def latency_alerts(scope: Scope, model: WatchedModel) -> Iterator[AlertRule]:
    """Yield an alert for each latency that has a limit which a histogram can tell."""
    for latency, limit in model.level.limits.items():
        seconds = alert_seconds(latency, limit)
        if seconds is not None:
            yield _latency(scope, model.name, latency, limit, seconds)


def _latency(scope: Scope, model: str, latency: Latency, limit: Limit, seconds: float) -> AlertRule:
    buckets, requests = (scope.of_pods(f"{HISTOGRAMS[latency]}_{part}") for part in ("bucket", "count"))
    share = limit.percentile / 100
    least = ceil(LEAST_ABOVE / (1 - share) - 1e-9)
    percentile = f"p{limit.percentile}"
    rounded = f", and the alert fires above {duration(seconds)}, the next bound of vLLM's histogram"
    return AlertRule(
        name="VllmEksLatencyMissed",
        expr=one_line(
            f"""histogram_quantile({share:g}, sum by (le, model, namespace) (rate({buckets}[10m]))) > {seconds:g}
                and on (model, namespace) sum by (model, namespace) (increase({requests}[10m])) >= {least}"""
        ),
        for_seconds=MISSED_SECONDS,
        severity="warning",
        summary=f"{model}: {NAMES[latency]} is {{{{ $value | humanizeDuration }}}} at {percentile}",
        description=(
            f"The {MEANINGS[latency]} at {percentile} was {{{{ $value | humanizeDuration }}}} over 10 minutes. The "
            f"limit is {duration(limit.seconds)}{rounded if seconds != limit.seconds else ''}."
        ),
        labels={"model": model, "latency": latency, "percentile": percentile},
    )
