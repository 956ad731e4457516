"""Alerts of vLLM fire after their time with exact texts, alone, and resolve."""

from collections.abc import Mapping, Sequence

import pytest

from tests.support.faults import AT, OF_LEADER, OF_SCOUT, between, counter_that_grows, fault, stopped
from tests.support.promtool import Alert, RuleTest, Segment
from tests.support.watched_stacks import MINUTES, counter, engine, healthy

pytestmark = pytest.mark.promtool


def test_engines(promtool) -> None:
    waiting = fault(
        Alert(
            name="VllmEksQueueGrowing",
            labels={**OF_SCOUT, "severity": "warning"},
            summary="scout: 100 requests wait, more than run",
            description=(
                "For 10 minutes more requests of vllm-scout have waited than run, and the queue does not become "
                "shorter. A request that arrives now waits for a whole batch of others."
            ),
            page="queue-growing.md",
        ),
        {engine("vllm:num_requests_waiting"): between(AT, 45, 0, 100)},
        quiet=AT + 9,
        fires=AT + 20,
        resolved=48,
    )
    # A batch of jobs that is worked off is no fault.
    burst = RuleTest(
        name="a queue that becomes shorter",
        series={**healthy(), engine("vllm:num_requests_waiting"): [(AT, 0), (40, 2000, -50), (MINUTES, 0)]},
        firing={25: {}, 35: {}, 45: {}, 55: {}},
    )
    cache = fault(
        Alert(
            name="VllmEksKvCacheFull",
            labels={**OF_LEADER, "severity": "warning"},
            summary="scout: the KV cache of scout-0 is full, and requests are preempted",
            description=(
                "The KV cache was 97% full over 10 minutes. vLLM stops running requests and computes their tokens "
                "again later."
            ),
            page="kv-cache-full.md",
        ),
        {engine("vllm:num_preemptions_total"): counter_that_grows(AT, 40, 3, 5)},
        quiet=AT + 9,
        fires=AT + 12,
        resolved=52,
    )
    hang = fault(
        Alert(
            name="VllmEksNoTokens",
            labels={**OF_LEADER, "severity": "critical"},
            summary="scout: scout-0 has running requests and makes no tokens",
            description=(
                "10 or more requests ran in scout-0 for 5 minutes, and it read no prompt and made no token. The engine "
                "hangs. The liveness probe restarts it about 7 minutes after its last token."
            ),
            page="no-tokens.md",
        ),
        {
            engine("vllm:generation_tokens_total"): stopped(AT, 30, 30_000),
            engine("vllm:prompt_tokens_total"): stopped(AT, 30, 60_000),
        },
        quiet=AT + 4,
        fires=AT + 7,
        resolved=33,
    )
    # A long prompt makes no token for minutes.
    prompt = RuleTest(
        name="a long prompt",
        series={**healthy(), engine("vllm:generation_tokens_total"): stopped(AT, 30, 30_000)},
        firing={AT + 7: {}, AT + 12: {}},
    )
    refused = fault(
        Alert(
            name="VllmEksKeyRefusals",
            labels={**OF_SCOUT, "severity": "warning", "client": "team-a", "reason": "unknown_key"},
            summary="scout: requests of team-a are refused (unknown_key)",
            description=(
                "scout refuses 30 requests per minute of the client team-a. Reasons: no_key, unknown_key (wrong or "
                "revoked), model (not for this client)."
            ),
            page="key-refusals.md",
        ),
        {
            engine("vllm_eks_client_refusals_total", client="team-a", reason="unknown_key"): counter_that_grows(
                AT, 40, 3, 30
            )
        },
        quiet=AT + 4,
        fires=AT + 12,
        resolved=46,
    )
    promtool([waiting, burst, cache, hang, prompt, refused])


def slow(metric: str, share: Mapping[str, float]) -> dict[str, Sequence[Segment]]:
    """Return buckets of both pods whose observations are slower, by how many of a minute are in each bucket."""
    return {
        engine(f"{metric}_bucket", pod, le=le): counter(per_minute)
        for pod in ("scout-0", "scout-1")
        for le, per_minute in share.items()
    }


def missed(latency: str, percentile: str, summary: str, description: str) -> Alert:
    return Alert(
        name="VllmEksLatencyMissed",
        labels={**OF_SCOUT, "severity": "warning", "latency": latency, "percentile": percentile},
        summary=summary,
        description=description,
        page="latency-missed.md",
    )


def test_latencies(promtool) -> None:
    ttft = fault(
        missed(
            "ttft",
            "p90",
            "scout: TTFT is 1.75s at p90",
            "The time to first token at p90 was 1.75s over 10 minutes. The limit is 1s.",
        ),
        slow(
            "vllm:time_to_first_token_seconds",
            {"0.25": 40, "0.5": 45, "1.0": 48, "2.5": 60, "+Inf": 60},
        ),
        quiet=9,
        fires=25,
        resolved=0,
    )
    itl = fault(
        missed(
            "itl",
            "p50",
            "scout: ITL is 62.5ms at p50",
            "The time between two tokens of a request at p50 was 62.5ms over 10 minutes. The limit is 50ms.",
        ),
        slow("vllm:inter_token_latency_seconds", {"0.025": 0, "0.05": 0, "0.075": 6000, "+Inf": 6000}),
        quiet=9,
        fires=25,
        resolved=0,
    )
    e2e = fault(
        missed(
            "e2e",
            "p99",
            "scout: E2E is 1m 30s at p99",
            "The time of a whole request at p99 was 1m 30s over 10 minutes. The limit is 60s.",
        ),
        slow("vllm:e2e_request_latency_seconds", {"10.0": 0, "60.0": 58.8, "120.0": 60, "+Inf": 60}),
        quiet=9,
        fires=25,
        resolved=0,
    )
    # Two slow requests of ten in 10 minutes say nothing about p90.
    ttft_buckets = {"0.25": 40, "0.5": 45, "1.0": 48, "2.5": 60, "+Inf": 60}
    few = slow("vllm:time_to_first_token_seconds", {le: number / 120 for le, number in ttft_buckets.items()})
    few |= {engine("vllm:time_to_first_token_seconds_count", pod): counter(0.5) for pod in ("scout-0", "scout-1")}
    promtool([ttft, itl, e2e, RuleTest(name="few requests", series={**healthy(), **few}, firing={25: {}, 40: {}})])
