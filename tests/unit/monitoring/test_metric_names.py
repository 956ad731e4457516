"""Every metric and label that a rule or a panel names exists in the pinned exporters, so that an update breaks no panel
unseen."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.metric_lists.make_lists import of_text
from tests.support.promql import Query, dashboard_queries, named_in
from tests.support.watched_stacks import watched_stack
from vllm_eks.data import DATA
from vllm_eks.monitoring import series
from vllm_eks.monitoring.gpu_counters import GPU_COUNTERS
from vllm_eks.monitoring.rules import stack_rules
from vllm_eks.pins import charts
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.pods import client_counts
from vllm_eks.pods.group import Alone
from vllm_eks.pods.start_metrics import StartMetrics

LISTS: Mapping[str, Mapping[str, str]] = json.loads(
    (Path(__file__).parents[2] / "data" / "monitoring" / "metrics.json").read_text()
)
VLLM_VERSIONS = [name for name in LISTS if name.startswith("vLLM ")]
MONITOR = "model namespace pod group node instance job container endpoint cluster"
"""Labels that the scrape adds: the model's PodMonitor, and Prometheus itself."""
ADDED = {
    "vLLM": MONITOR,
    "DCGM": "node instance job cluster",
    # And a label of nodes that the stack's kube-state-metrics may show (components/observability/prometheus_values.py).
    "kube-state-metrics": "instance job cluster label_vllm_eks_model",
    "node exporter": "instance job cluster",
    "blackbox": "model namespace instance job cluster",
    "kubelet": "node instance job cluster",
    "LeaderWorkerSet": "instance job cluster",
    "Prometheus": "",
    "own": MONITOR,
}


def own() -> dict[str, str]:
    """Return what the chart's scripts serve on the leaders' port for metrics."""

    class NoLog:
        def tail(self) -> str:
            return ""

    starting = StartMetrics(Alone(), NoLog(), budget_seconds=1200).text(engine_answers=False)  # pyright: ignore[reportArgumentType] (a double)
    of_start = {name: " ".join(labels) for name, labels in of_text(starting).items()}
    counters = (client_counts.REQUESTS, client_counts.TOKENS, client_counts.REFUSALS)
    return of_start | {f"{counter._name}_total": " ".join(counter._labelnames) for counter in counters}


OF_STACK = "stack cluster"
OF_MODEL = f"{OF_STACK} model namespace"
RECORDED = {
    series.USD_PER_HOUR: OF_MODEL,
    series.NODE_USD_PER_HOUR: OF_MODEL,
    series.GPUS_PER_NODE: OF_MODEL,
    series.MONTH_BUDGET_USD: OF_STACK,
    series.GROUPS_PLANNED: OF_MODEL,
    series.PODS_PER_GROUP: OF_MODEL,
    series.GPUS_PER_GROUP: OF_MODEL,
    series.STARTUP_BUDGET_SECONDS: OF_MODEL,
    series.KV_CACHE_TOKENS: f"{OF_MODEL} bound",
    series.TOKENS_PER_SECOND_PLANNED: f"{OF_MODEL} bound",
    series.LATENCY_LIMIT_SECONDS: f"{OF_MODEL} latency percentile",
    series.BLOCK_END_SECONDS: OF_MODEL,
    series.GROUPS_WANTED: OF_MODEL,
    series.GROUPS_READY: OF_MODEL,
    series.PODS_WANTED: OF_MODEL,
    series.PODS_RUNNING: OF_MODEL,
    series.LEADER_POD: f"{OF_MODEL} pod",
    series.MODEL_NODE: f"{OF_MODEL} node",
    series.GPUS_SEEN: f"{OF_STACK} node",
    series.OUTPUT_TOKENS_PER_SECOND: OF_MODEL,
    series.USD_PER_MILLION_TOKENS: OF_MODEL,
    series.RUNNING_USD_PER_HOUR: OF_STACK,
}


def known(vllm: str) -> dict[str, set[str]]:
    """Return the labels of every metric, with one version of vLLM."""
    found = {name: set(labels.split()) for name, labels in RECORDED.items()}
    for exporter, metrics in {**LISTS, "own": own()}.items():
        if exporter in VLLM_VERSIONS and exporter != vllm:
            continue
        added = next(labels for prefix, labels in ADDED.items() if exporter.startswith(prefix))
        found |= {name: {*labels.split(), *added.split()} for name, labels in metrics.items()}
    return found


def all_queries() -> Iterator[Query]:
    for group in stack_rules(replace(watched_stack(), cluster="vllm-eks-test")):
        for rule in group.rules:
            yield Query(place=f"{group.name}, {getattr(rule, 'record', getattr(rule, 'name', ''))}", expr=rule.expr)
    for file in sorted((DATA / "dashboards").glob("*.json")):
        yield from dashboard_queries(file.read_text())


def problems(query: Query, metrics: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield what an expression names and no exporter has."""
    named = named_in(query.expr)
    has: set[str] = set(named.made)
    for metric, labels in named.matched.items():
        if metric not in metrics:
            yield f"{query.place}: no metric {metric}"
            continue
        has |= metrics[metric]
        yield from (f"{query.place}: {metric} has no label {label}" for label in sorted(labels - metrics[metric]))
    yield from (f"{query.place}: nothing in it has a label {label}" for label in sorted(named.grouped - has))


@pytest.mark.parametrize("vllm", VLLM_VERSIONS)
def test_every_metric_and_label_of_rules_and_panels_exists(vllm: str) -> None:
    metrics, queries = known(vllm), list(all_queries())
    assert len(queries) > 80
    assert [problem for query in queries for problem in problems(query, metrics)] == []


def test_every_gpu_metric_is_one_that_the_stack_s_exporter_reads() -> None:
    """The stack gives its exporter a list that is shorter than the default one."""
    read = {name for name, _, _ in GPU_COUNTERS}
    named = {metric for query in all_queries() for metric in named_in(query.expr).matched if metric[:5] == "DCGM_"}
    assert len(named) >= 6
    assert named <= read


def test_a_renamed_metric_or_label_is_found() -> None:
    """vLLM 0.10 had vllm:gpu_cache_usage_perc."""
    queries = [
        Query(place="p", expr="vllm:gpu_cache_usage_perc"),
        Query(place="p", expr='sum by (nosuch) (rate(vllm:num_preemptions_total{modl=~"$model"}[$__rate_interval]))'),
    ]
    assert [problem for query in queries for problem in problems(query, known(VLLM_VERSIONS[0]))] == [
        "p: no metric vllm:gpu_cache_usage_perc",
        "p: vllm:num_preemptions_total has no label modl",
        "p: nothing in it has a label nosuch",
    ]


def test_the_lists_are_those_of_the_pinned_exporters() -> None:
    """A new chart or image needs new lists (tests/metric_lists/make_lists.py) of the exporters that it brings."""
    pinned = {source.chart: source.version for source in (charts.DCGM_EXPORTER, charts.KUBE_PROMETHEUS_STACK)}
    assert pinned == {"dcgm-exporter": "4.8.2", "kube-prometheus-stack": "88.5.3"}
    assert (charts.BLACKBOX_EXPORTER.version, charts.LEADER_WORKER_SET.version) == ("11.17.2", "0.10.0")
    assert f"vLLM {DEFAULT_VLLM_VERSION}" in VLLM_VERSIONS
