"""The monitors of both models of the guide decide what a real Prometheus scrapes, and the alerts of each model fire.

Real: the chart's objects, the LeaderWorkerSet controller's pods, the configuration that the Prometheus operator makes
of the program's monitors (recorded: tests/operator_config), Prometheus's relabeling, scrapes and rules. Doubles: vLLM
(the /metrics of a real 0.27.0 with other numbers), the network of the pods, kube-state-metrics over the real objects,
and the discovery of pods (tests/support/pod_discovery.py). Each duration of the rules is divided by sixty.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.lab_cluster import Cluster, bring_back
from tests.e2e.lab_metrics import DISCOVERY, STATE, LabApi, LabMetrics
from tests.e2e.lab_model import wait_for_release
from tests.operator_config.record import CONFIG, registered_monitors
from tests.support.chart_rendering import tool
from tests.support.exporter_doubles import Doubles, Prometheus, running_prometheus, served, static_scrape, wait_for
from tests.support.guide_models import FULL, QUANTIZED, record_guide_models
from vllm_eks.preview.recording import Recording

pytestmark = pytest.mark.e2e

MODELS = (QUANTIZED, FULL)
NAMESPACES = {model: f"vllm-{model}" for model in MODELS}
ELSEWHERE = "vllm-strangers"
TOKENS = {QUANTIZED: 700.0, FULL: 300.0}
"""Generated each second."""
INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
ALERT_SECONDS = 60
"""The longest `for` of these tests is 15 minutes, which are 15 s here. The rest is for a busy machine."""
STRANGER = """\
apiVersion: v1
kind: Pod
metadata:
  name: stranger-0
  namespace: {namespace}
  labels: {labels}
  annotations: {{leaderworkerset.sigs.k8s.io/size: "1"}} # the webhook wants it
spec:
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: main
      image: main
      ports: [{{name: metrics, containerPort: 8001}}]
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Both models, and the Prometheus that watches them."""

    cluster: Cluster
    recording: Recording
    values: Mapping[str, dict[str, Any]]
    doubles: Mapping[str, Doubles]
    prometheus: Prometheus

    def pods(self, model: str) -> Sequence[Mapping[str, Any]]:
        return wait_for_release(self.cluster, model, NAMESPACES[model], self.values[model])

    def leader(self, model: str) -> Mapping[str, Any]:
        (leader,) = [pod for pod in self.pods(model) if pod["metadata"]["labels"][INDEX] == "0"]
        return leader

    def targets(self) -> set[tuple[str, str]]:
        """Return the pods and addresses that are scraped and answer."""
        active = self.prometheus.get("/api/v1/targets", state="active")["activeTargets"]
        of_pods = [one for one in active if one["scrapePool"].startswith("podMonitor/")]
        assert all(one["health"] != "down" for one in of_pods), of_pods
        return {(one["labels"]["pod"], one["scrapeUrl"]) for one in of_pods}

    def firing(self) -> set[tuple[str, str]]:
        found = [one["labels"] for one in self.prometheus.alerts() if one["state"] == "firing"]
        return {(labels["alertname"], labels.get("namespace", labels.get("source", ""))) for labels in found}

    def wait_for_alerts(self, *wanted: tuple[str, str]) -> None:
        """Wait until exactly these alerts fire, each with its model's namespace."""
        expected = {(name, NAMESPACES[model]) for name, model in wanted}
        wait_for(lambda: self.firing() == expected, ALERT_SECONDS, lambda: f"{self.firing()}, not {expected}")

    def value(self, query: str) -> dict[str, float]:
        """Return each model's value."""
        found = self.prometheus.get("/api/v1/query", query=query)["result"]
        return {one["metric"]["model"]: float(one["value"][1]) for one in found}


def url(leader: Mapping[str, Any]) -> str:
    return f"http://{leader['status']['podIP']}:8001/metrics"


def well(model: str, doubles: Doubles) -> None:
    """Set the series of a model that serves some requests."""
    of = f'engine="0",model_name="{model}"'
    doubles.set(f"vllm:num_requests_running{{{of}}}", 3)
    doubles.set(f"vllm:num_requests_waiting{{{of}}}", 0)
    doubles.set(f"vllm:generation_tokens_total{{{of}}}", 0, TOKENS[model])
    doubles.set(f"vllm:prompt_tokens_total{{{of}}}", 0, 10)


def hang(model: str, doubles: Doubles) -> None:
    """Let a model make no tokens, although requests run."""
    of = f'engine="0",model_name="{model}"'
    doubles.freeze(f"vllm:generation_tokens_total{{{of}}}")
    doubles.freeze(f"vllm:prompt_tokens_total{{{of}}}")


def scrapes(port: int) -> Iterator[Mapping[str, Any]]:
    """Yield what the operator made of the PodMonitors. Pods are asked for here, and are reached through a proxy."""
    here, recorded = f"http://127.0.0.1:{port}", json.loads(CONFIG.read_text())
    shard = recorded["pod_labels"]["operator.prometheus.io/shard"]
    # As the config reloader beside Prometheus does.
    jobs = json.dumps(recorded["config"]["scrape_configs"]).replace("$(SHARD)", shard)
    for job in json.loads(jobs):
        if not job["job_name"].startswith("podMonitor/"):
            continue  # the others are about Services, and Services have no endpoints in the lab
        (discovery,) = job["kubernetes_sd_configs"]
        assert discovery == {"role": "pod", "namespaces": {"names": discovery["namespaces"]["names"]}}
        asked = "&".join(f"namespace={name}" for name in discovery["namespaces"]["names"])
        kept = {key: value for key, value in job.items() if key != "kubernetes_sd_configs"}
        pods = [{"url": f"{here}{DISCOVERY}?{asked}", "refresh_interval": "1s"}]
        yield {**kept, "proxy_url": here, "http_sd_configs": pods}
    yield {**static_scrape("kube-state-metrics", port), "metrics_path": STATE}


@pytest.fixture(scope="module")
def watched(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    program = tool("prometheus")
    if program is None:
        pytest.skip("prometheus is neither on PATH nor in $KUBE_LAB/bin: build the lab's (build.sh prometheus)")
    folder = tmp_path_factory.mktemp("monitors")
    recording = record_guide_models(folder, observability={"prometheus": "install"})
    releases = {one.inputs["name"]: one.inputs for one in recording.of_type("kubernetes:helm.sh/v3:Release")}
    values = {model: dict(releases[model]["values"]) for model in MODELS}
    (rules,) = [one.inputs["spec"] for one in recording.of_type("kubernetes:monitoring.coreos.com/v1:PrometheusRule")]
    doubles = {NAMESPACES[model]: Doubles() for model in MODELS}
    for model in MODELS:
        well(model, doubles[NAMESPACES[model]])
        cluster.make_namespace(NAMESPACES[model], {})
        cluster.helm("install", model, NAMESPACES[model], values[model])
    add_strangers(cluster)
    metrics = LabMetrics(api=LabApi(cluster, folder), namespaces=list(NAMESPACES.values()), doubles=doubles)
    with ExitStack() as running:
        running.enter_context(metrics.following())
        port = running.enter_context(served(metrics.answer))
        prometheus = running.enter_context(running_prometheus(program, folder, rules, list(scrapes(port))))
        watched = Watched(cluster=cluster, recording=recording, values=values, doubles=doubles, prometheus=prometheus)
        for model in MODELS:
            watched.pods(model)
        wait_for(prometheus.ready, 60, lambda: (folder / "prometheus.log").read_text())
        yield watched
    for model in MODELS:
        cluster.run("helm", "uninstall", model, f"--namespace={NAMESPACES[model]}", "--ignore-not-found")
    cluster.delete_namespaces()


def add_strangers(cluster: Cluster) -> None:
    """Add pods with the port of a leader: one without its labels, and one with them in another namespace."""
    cluster.make_namespace(ELSEWHERE, {})
    leader = {"leaderworkerset.sigs.k8s.io/name": FULL, INDEX: "0"}
    for namespace, labels in ((NAMESPACES[FULL], {"app": "stranger"}), (ELSEWHERE, leader)):
        cluster.kubectl("apply", "--filename=-", stdin=STRANGER.format(namespace=namespace, labels=json.dumps(labels)))


def test_the_recorded_configuration_is_that_of_the_program_s_monitors(watched: Watched) -> None:
    made_of = json.loads(CONFIG.read_text())["monitors"]
    assert made_of == registered_monitors(watched.recording), "record again: python -m tests.operator_config.record"


def test_prometheus_scrapes_the_leaders_and_nothing_else(watched: Watched) -> None:
    leaders = {model: watched.leader(model) for model in MODELS}
    expected = {(f"{model}-0", url(pod)) for model, pod in leaders.items()}
    wait_for(lambda: watched.targets() == expected, ALERT_SECONDS, watched.targets)

    for model, pod in leaders.items():
        (series,) = watched.prometheus.get("/api/v1/query", query=f'up{{model="{model}"}}')["result"]
        assert series["metric"] == {
            "__name__": "up",
            "job": f"monitoring-system/{NAMESPACES[model]}",
            "endpoint": "metrics",
            "instance": f"{pod['status']['podIP']}:8001",
            "namespace": NAMESPACES[model],
            "pod": f"{model}-0",
            "container": "vllm",
            "model": model,
            "group": "0",
            "node": pod["spec"]["nodeName"],
        }
        assert series["value"][1] == "1"
    seen = watched.prometheus.get("/api/v1/targets", state="dropped")["droppedTargets"]
    dropped = {one["discoveredLabels"]["__meta_kubernetes_pod_name"] for one in seen}
    # The one elsewhere was not even seen.
    assert {f"{FULL}-0-1", "stranger-0"} <= dropped
    assert ELSEWHERE not in {one["discoveredLabels"]["__meta_kubernetes_namespace"] for one in seen}


def test_every_recording_answers_for_each_model(watched: Watched) -> None:
    of_models = [
        rule["name"]
        for group in watched.prometheus.get("/api/v1/rules", type="record")["groups"]
        if not group["name"].endswith(".nodes")
        for rule in group["rules"]
    ]
    names = sorted(set(of_models) - {"vllm_eks:node_usd_per_hour", "vllm_eks:month_budget_usd"})
    assert len(names) > 12

    def silent() -> list[str]:
        return [name for name in names if watched.value(f"max by (model) ({name})").keys() != set(MODELS)]

    wait_for(lambda: not silent(), ALERT_SECONDS, silent)
    # A rate is too low until its whole window has samples.
    speed, right = "vllm_eks:output_tokens_per_second", pytest.approx(TOKENS, rel=0.2)
    wait_for(lambda: watched.value(speed) == right, ALERT_SECONDS, lambda: watched.value(speed))
    assert watched.value("vllm_eks:groups_ready") == {QUANTIZED: 1, FULL: 1}
    assert watched.value("vllm_eks:pods_running") == {QUANTIZED: 1, FULL: 2}


def test_an_alert_of_each_model_fires_for_it_alone_and_resolves(watched: Watched) -> None:
    watched.wait_for_alerts()
    for model in MODELS:
        double = watched.doubles[NAMESPACES[model]]
        hang(model, double)
        watched.wait_for_alerts(("VllmEksNoTokens", model))
        well(model, double)
        watched.wait_for_alerts()


def test_a_node_that_goes_is_noticed_and_so_is_its_return(watched: Watched) -> None:
    before, cluster = watched.leader(FULL), watched.cluster
    node = cluster.get("node", before["spec"]["nodeName"])
    cluster.kubectl("delete", "node", node["metadata"]["name"])
    try:
        # The pod garbage collector does so too, after 40 to 80 s.
        where = (f"--namespace={NAMESPACES[FULL]}", "--force", "--grace-period=0", "--ignore-not-found")
        cluster.kubectl("delete", "pod", before["metadata"]["name"], *where)
        watched.wait_for_alerts(("VllmEksGroupNotWhole", FULL))
        assert url(before) not in {address for _, address in watched.targets()}
    finally:
        bring_back(cluster, node)
    watched.wait_for_alerts()
    after = watched.leader(FULL)
    assert url(after) != url(before)
    expected = {(f"{model}-0", url(watched.leader(model))) for model in MODELS}
    wait_for(lambda: watched.targets() == expected, ALERT_SECONDS, watched.targets)
