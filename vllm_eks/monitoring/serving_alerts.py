"""Alerts of vLLM: queue, KV cache, tokens, and clients' keys."""

from collections.abc import Iterator

from vllm_eks.monitoring.rule import AlertRule
from vllm_eks.monitoring.series import Scope, one_line
from vllm_eks.monitoring.watched import WatchedStack

MINUTES_10 = 600
FULL_CACHE = 0.95
"""vLLM preempts a request when no block of the cache is free. Above this share, on average, the cache and not the batch
limits the requests. Single preemptions in a burst are normal."""
REFUSALS_PER_MINUTE = 12
"""60 in 5 minutes. A person who mistypes a key sends a few, a program that retries sends more."""


def serving_alerts(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield the alerts of all models' engines."""
    yield _queue(stack.scope)
    yield _cache(stack.scope)
    yield _tokens(stack.scope)
    yield _refusals(stack.scope)


def _queue(scope: Scope) -> AlertRule:
    def mean(name: str, offset: str = "") -> str:
        return f"sum by (model, namespace) (avg_over_time({scope.of_pods(name)}[5m]{offset}))"

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


def _cache(scope: Scope) -> AlertRule:
    by = "by (model, namespace, pod)"
    return AlertRule(
        name="VllmEksKvCacheFull",
        expr=one_line(
            f"""max {by} (avg_over_time({scope.of_pods("vllm:kv_cache_usage_perc")}[10m])) > {FULL_CACHE}
                and sum {by} (increase({scope.of_pods("vllm:num_preemptions_total")}[10m])) > 0"""
        ),
        for_seconds=MINUTES_10,
        severity="warning",
        summary="{{ $labels.model }}: the KV cache of {{ $labels.pod }} is full, and requests are preempted",
        description=(
            "The KV cache was {{ $value | humanizePercentage }} full over 10 minutes. vLLM stops running requests and "
            "computes their tokens again later."
        ),
    )


def _tokens(scope: Scope) -> AlertRule:
    by = "by (model, namespace, pod)"
    return AlertRule(
        name="VllmEksNoTokens",
        expr=one_line(
            f"""min {by} (min_over_time({scope.of_pods("vllm:num_requests_running")}[5m])) > 0
                and sum {by} (increase({scope.of_pods("vllm:generation_tokens_total")}[5m])) == 0
                and sum {by} (increase({scope.of_pods("vllm:prompt_tokens_total")}[5m])) == 0"""
        ),
        for_seconds=60,
        severity="critical",
        summary="{{ $labels.model }}: {{ $labels.pod }} has running requests and makes no tokens",
        description=(
            "{{ $value }} or more requests ran in {{ $labels.pod }} for 5 minutes, and it read no prompt and made no "
            "token. The engine hangs. The liveness probe restarts it about 7 minutes after its last token."
        ),
    )


def _refusals(scope: Scope) -> AlertRule:
    refusals = scope.of_pods("vllm_eks_client_refusals_total")
    per_second = f"sum by (model, namespace, client, reason) (rate({refusals}[5m]))"
    return AlertRule(
        name="VllmEksKeyRefusals",
        expr=f"60 * {per_second} > {REFUSALS_PER_MINUTE}",
        for_seconds=300,
        severity="warning",
        summary="{{ $labels.model }}: requests of {{ $labels.client }} are refused ({{ $labels.reason }})",
        description=(
            "{{ $labels.model }} refuses {{ $value | humanize }} requests per minute of the client "
            "{{ $labels.client }}. Reasons: no_key, unknown_key (wrong or revoked), model (not for this client)."
        ),
    )
