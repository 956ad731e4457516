"""Alerts of vLLM: queue, KV cache, tokens, latency, and clients' keys."""

from collections.abc import Iterator
from math import ceil

from vllm_eks.monitoring.rule import AlertRule
from vllm_eks.monitoring.series import one_line
from vllm_eks.monitoring.watched import WatchedModel, WatchedStack
from vllm_eks.planner.load.service_level import MEANINGS, NAMES, Latency, Limit, duration

MINUTES_10 = 600
FULL_CACHE = 0.95
"""vLLM preempts a request when no block of the cache is free. Above this share, on average, the cache and not the batch
limits the requests. Single preemptions in a burst are normal."""
HISTOGRAMS: dict[Latency, str] = {
    "ttft": "vllm:time_to_first_token_seconds",
    "itl": "vllm:inter_token_latency_seconds",
    "e2e": "vllm:e2e_request_latency_seconds",
}
"""vLLM's histogram of each latency. Before 0.12, the time between tokens was vllm:time_per_output_token_seconds."""
LEAST_ABOVE = 2
"""Requests above a percentile, below which the percentile says nothing: p90 needs 20 requests, p99 200."""
REFUSALS_PER_MINUTE = 12
"""60 in 5 minutes. A person who mistypes a key sends a few, a program that retries sends more."""


def serving_alerts(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield the alerts of all models' engines."""
    of = f'namespace=~"{stack.namespaces}"'
    yield _queue(of)
    yield _cache(of)
    yield _tokens(of)
    yield _refusals(of)


def _queue(of: str) -> AlertRule:
    def mean(name: str, offset: str = "") -> str:
        return f"sum by (model, namespace) (avg_over_time({name}{{{of}}}[5m]{offset}))"

    waiting = "vllm:num_requests_waiting"
    return AlertRule(
        name="VllmEksQueueGrowing",
        # More than a whole batch waits, and it has not become a tenth less in 5 minutes, as a burst does.
        expr=one_line(
            f"""{mean(waiting)} > {mean("vllm:num_requests_running")}
                and {mean(waiting)} >= 0.9 * {mean(waiting, " offset 5m")}"""
        ),
        for_seconds=MINUTES_10,
        severity="warning",
        summary="{{ $labels.model }}: {{ $value | humanize }} requests wait, more than run",
        description=(
            "For 10 minutes more requests of {{ $labels.namespace }} have waited than run, and the queue does not "
            "become shorter. A request that arrives now waits for a whole batch of others."
        ),
    )


def _cache(of: str) -> AlertRule:
    by = "by (model, namespace, pod)"
    return AlertRule(
        name="VllmEksKvCacheFull",
        expr=one_line(
            f"""max {by} (avg_over_time(vllm:kv_cache_usage_perc{{{of}}}[10m])) > {FULL_CACHE}
                and sum {by} (increase(vllm:num_preemptions_total{{{of}}}[10m])) > 0"""
        ),
        for_seconds=MINUTES_10,
        severity="warning",
        summary="{{ $labels.model }}: the KV cache of {{ $labels.pod }} is full, and requests are preempted",
        description=(
            "The KV cache was {{ $value | humanizePercentage }} full over 10 minutes. vLLM stops running requests and "
            "computes their tokens again later."
        ),
    )


def _tokens(of: str) -> AlertRule:
    by = "by (model, namespace, pod)"
    return AlertRule(
        name="VllmEksNoTokens",
        expr=one_line(
            f"""min {by} (min_over_time(vllm:num_requests_running{{{of}}}[5m])) > 0
                and sum {by} (increase(vllm:generation_tokens_total{{{of}}}[5m])) == 0
                and sum {by} (increase(vllm:prompt_tokens_total{{{of}}}[5m])) == 0"""
        ),
        for_seconds=60,
        severity="critical",
        summary="{{ $labels.model }}: {{ $labels.pod }} has running requests and makes no tokens",
        description=(
            "{{ $value }} or more requests ran in {{ $labels.pod }} for 5 minutes, and it read no prompt and made no "
            "token. The engine hangs. The liveness probe restarts it about 7 minutes after its last token."
        ),
    )


def _refusals(of: str) -> AlertRule:
    return AlertRule(
        name="VllmEksKeyRefusals",
        expr=one_line(
            f"""60 * sum by (model, namespace, client, reason) (rate(vllm_eks_client_refusals_total{{{of}}}[5m]))
                > {REFUSALS_PER_MINUTE}"""
        ),
        for_seconds=300,
        severity="warning",
        summary="{{ $labels.model }}: requests of {{ $labels.client }} are refused ({{ $labels.reason }})",
        description=(
            "{{ $labels.model }} refuses {{ $value | humanize }} requests per minute of the client "
            "{{ $labels.client }}. Reasons: no_key, unknown_key (wrong or revoked), model (not for this client)."
        ),
    )


def latency_alerts(model: WatchedModel) -> Iterator[AlertRule]:
    """Yield an alert for each latency that has a limit."""
    for latency, limit in model.level.limits.items():
        yield _latency(model, latency, limit)


def _latency(model: WatchedModel, latency: Latency, limit: Limit) -> AlertRule:
    histogram, of = HISTOGRAMS[latency], f'namespace="{model.namespace}"'
    share = limit.percentile / 100
    least = ceil(LEAST_ABOVE / (1 - share) - 1e-9)
    percentile = f"p{limit.percentile}"
    return AlertRule(
        name="VllmEksLatencyMissed",
        expr=one_line(
            f"""histogram_quantile({share:g}, sum by (le, model, namespace) (rate({histogram}_bucket{{{of}}}[10m])))
                > {limit.seconds:g}
                and on (model, namespace)
                sum by (model, namespace) (increase({histogram}_count{{{of}}}[10m])) >= {least}"""
        ),
        for_seconds=MINUTES_10,
        severity="warning",
        summary=f"{model.name}: {NAMES[latency]} is {{{{ $value | humanizeDuration }}}} at {percentile}",
        description=(
            f"The {MEANINGS[latency]} at {percentile} was {{{{ $value | humanizeDuration }}}} over 10 minutes. The "
            f"limit is {duration(limit.seconds)}."
        ),
        labels={"latency": latency, "percentile": percentile},
    )
