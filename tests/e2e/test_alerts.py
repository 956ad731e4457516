"""Every alert fires and resolves in a real Prometheus that scrapes doubles of all exporters.

Every duration of the rules is divided by sixty, and so is Prometheus's lookback: a minute is a second here. `make
test-rules` tests the true durations. The doubles serve the /metrics of a real vLLM 0.27.0 with other numbers.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.support.chart_rendering import tool
from tests.support.exporter_doubles import (
    Doubles,
    Prometheus,
    running_prometheus,
    served,
    static_scrape,
    wait_for,
)
from tests.support.promql import dashboard_queries, prometheus_sees
from tests.support.watched_stacks import DOOR, engine, gpu, healthy, node_label, pod_series, watched_stack, xid
from vllm_eks.data import DATA
from vllm_eks.monitoring.files import rule_file
from vllm_eks.monitoring.rules import ALERT_NAMES
from vllm_eks.monitoring.watched import WatchedStack

HOUR, DAY = 3600, 86_400
REFUSALS = engine("vllm_eks_client_refusals_total", client="team-a", reason="unknown_key")
LEADER = {"model": "scout", "namespace": "vllm-scout", "pod": "scout-0", "group": "0"}
"""The labels that the monitor gives to series without them: those of a real vLLM, which the doubles serve too."""
SETTLED_SECONDS = 30
"""Half an hour of the rules, in which nothing may fire."""
LONGEST_SECONDS = 120
"""The longest `for` is an hour, which is a minute here. The rest is for a busy machine."""


def everything_is_well(doubles: Doubles) -> None:
    """Set the series of a healthy stack."""
    for series, (segment, *_) in healthy().items():
        _, value, *per_minute = segment
        doubles.set(series, value or 0, *per_minute)
    # Its limit is a rate in true minutes.
    doubles.set(REFUSALS, 0, 2 / 60)
    for series in healthy():
        if series.startswith("probe_ssl_earliest_cert_expiry"):
            doubles.set(series, time.time() + 100 * DAY)


def leader_of(group: int, uid: str) -> dict[str, str]:
    return pod_series(f"scout-{group}", uid)


def break_everything(doubles: Doubles) -> None:
    """Bring about the fault of every alert at once."""
    worker = pod_series("scout-1-1", "uid-scout-1-1")
    doubles.set(worker["running"], 0)
    doubles.set(leader_of(1, "uid-scout-1")["ready"], 0)
    for number in range(3):
        doubles.set(leader_of(0, f"again-{number}")["created"], 1)
    doubles.set(engine("vllm:num_requests_waiting"), 100)
    doubles.grow(engine("vllm:num_preemptions_total"), 5)
    for metric in ("vllm:generation_tokens_total", "vllm:prompt_tokens_total"):
        doubles.freeze(engine(metric, "scout-1"))
    for le in ("0.25", "0.5", "1.0"):
        for pod in ("scout-0", "scout-1"):
            doubles.freeze(engine("vllm:time_to_first_token_seconds_bucket", pod, le=le))
    doubles.grow(REFUSALS, 30 / 60)
    doubles.remove(xid("node-0", 0, 0))
    doubles.set(xid("node-0", 0, 79), 79)
    doubles.set('kube_node_status_condition{node="node-0",condition="AcceleratedHardwareReady",status="false"}', 1)
    doubles.set('kube_node_status_allocatable{node="node-1",resource="nvidia_com_gpu",unit="integer"}', 1)
    claim = 'namespace="vllm-scout",persistentvolumeclaim="scout-weights-0a1b2c3d",node="node-2"'
    doubles.set(f"kubelet_volume_stats_available_bytes{{{claim}}}", 7e11)
    doubles.set(f"probe_success{{{DOOR}}}", 0)
    doubles.set(f"probe_ssl_earliest_cert_expiry{{{DOOR}}}", time.time() + 5 * DAY)
    for number in range(20):
        doubles.set(node_label(f"extra-{number}"), 1)
    for index in (0, 1):
        doubles.remove(gpu("DCGM_FI_DEV_FB_USED", "node-3", index))


def repair_everything(doubles: Doubles) -> None:
    for number in range(3):
        doubles.remove(leader_of(0, f"again-{number}")["created"])
    for number in range(20):
        doubles.remove(node_label(f"extra-{number}"))
    doubles.remove(xid("node-0", 0, 79))
    everything_is_well(doubles)


def stack(*, block_ends_in: float, budget: float) -> WatchedStack:
    """Return the stack, whose Capacity Block ends after some true seconds."""
    usual = watched_stack(monthly_budget_usd=budget)
    end = datetime.fromtimestamp(time.time() + block_ends_in, tz=UTC)
    return replace(usual, models=[replace(usual.models[0], block_end=end), usual.models[1]])


@pytest.fixture(scope="module")
def doubles() -> Doubles:
    made = Doubles()
    everything_is_well(made)
    return made


@pytest.fixture(scope="module")
def prometheus(doubles: Doubles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    program = tool("prometheus")
    if program is None:
        pytest.skip("prometheus is neither on PATH nor in $KUBE_LAB/bin: build the lab's (build.sh prometheus)")
    soon = stack(block_ends_in=20 * HOUR, budget=50_000)
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        served(lambda _: doubles.text()) as port,
        running_prometheus(program, folder, rule_file(soon), [static_scrape("doubles", port, **LEADER)]) as run,
    ):
        wait_for(run.ready, 60, lambda: (folder / "prometheus.log").read_text())
        yield run


def test_every_rule_is_evaluated_and_every_query_of_a_dashboard_is_answered(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 50
    wait_for(
        lambda: all(
            rule["health"] == "ok" for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]
        ),
        30,
        lambda: [rule for rule in rules if rule["health"] != "ok"],
    )
    queries = [query for file in (DATA / "dashboards").glob("*.json") for query in dashboard_queries(file.read_text())]
    assert len(queries) > 50
    for query in queries:
        assert prometheus.get("/api/v1/query", query=prometheus_sees(query.expr))["resultType"] == "vector", query.place


def test_every_alert_fires_and_resolves(prometheus: Prometheus, doubles: Doubles) -> None:
    block = {"VllmEksCapacityBlockEnding"}
    time.sleep(SETTLED_SECONDS)
    assert prometheus.firing() == block

    break_everything(doubles)
    began = time.monotonic()
    wait_for(
        lambda: prometheus.firing() == set(ALERT_NAMES),
        LONGEST_SECONDS,
        lambda: f"do not fire: {set(ALERT_NAMES) - prometheus.firing()}",
    )
    print(f"all {len(ALERT_NAMES)} alerts fire after {time.monotonic() - began:.0f} s")
    for alert in prometheus.alerts():
        texts = " ".join(alert["annotations"].values())
        assert "error expanding" not in texts, texts
        assert "<no value>" not in texts, texts

    repair_everything(doubles)
    prometheus.load(rule_file(stack(block_ends_in=400 * HOUR, budget=1_000_000)))
    began = time.monotonic()
    wait_for(lambda: not prometheus.firing(), LONGEST_SECONDS, lambda: f"still fire: {prometheus.firing()}")
    print(f"all are resolved after {time.monotonic() - began:.0f} s")
