"""What scrapes the models, against the pods that the chart renders, and who else reaches their metrics."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from components.observability.model_monitors import ModelMonitors, ModelMonitorsArgs
from components.observability.monitoring import Monitoring
from components.observability.monitors import dcgm_monitor, leader_worker_set_monitor, model_monitor
from components.observability.names import METRICS_PORT, PROMETHEUS_PODS
from components.serving.model_server import ModelServer
from tests.operator_config.record import CONFIG, rendered_prometheus
from tests.operator_config.record_pods import PODS
from tests.support.chart_rendering import Rendered, model_values, render_text, tool
from tests.support.guide_models import FULL, QUANTIZED
from tests.support.monitoring import ARGS, EXISTING, FRONT_DOOR
from tests.support.nested import replaced
from tests.support.network_policies import matches
from tests.support.pod_discovery import target_groups
from tests.unit.components.test_model_server import ARGS as SERVER
from vllm_eks.pins.charts import ControllerCharts, MonitoringCharts
from vllm_eks.preview.mock_cloud import Registration

ROLES = ("leader", "worker")
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
MONITORS = "kubernetes:monitoring.coreos.com/v1:"
LWS_PODS = {
    "control-plane": "controller-manager",
    "app.kubernetes.io/name": "lws",
    "app.kubernetes.io/instance": "lws",
}
"""The labels of the controllers' pods (kubernetes-sigs/lws 060ab4d, charts/lws, release `lws`)."""


def build(controllers: ControllerCharts | None = None, **changes: Any) -> None:
    args = replaced(ARGS, prometheus=EXISTING, endpoint=FRONT_DOOR, **changes)
    monitoring = Monitoring("main", EXISTING, args)
    servers = {"scout": ModelServer("scout", SERVER)}
    ModelMonitors(
        "main", ModelMonitorsArgs(monitoring=monitoring, servers=servers, charts=controllers or ControllerCharts())
    )


def spec_of(one: Registration) -> Mapping[str, Any]:
    return one.inputs["spec"]


def pod_labels(rendered: Rendered, role: str) -> dict[str, str]:
    """The labels of a pod: those of its template, and those that LeaderWorkerSet adds (pkg/webhooks/pod_webhook.go)."""
    index = "0" if role == "leader" else "1"
    added = {"name": "scout", "worker-index": index, "group-index": "0"}
    own = rendered.template(role)["metadata"]["labels"]
    return {**own, **{f"leaderworkerset.sigs.k8s.io/{key}": value for key, value in added.items()}}


def test_there_is_a_monitor_a_policy_and_a_probe_for_each_model(engine) -> None:
    engine.run(build)

    children = {one for one in engine.children()["main"] if "Monitor" in one or "Probe" in one or "metrics" in one}
    assert children == {
        "NetworkPolicy main-scout-metrics",
        "PodMonitor main-vllm-scout-podmonitor",
        "Probe main-vllm-scout-probe",
        "PodMonitor main-dcgm-exporter-podmonitor",
        "Service main-lws-metrics",
        "ServiceMonitor main-lws-controller-servicemonitor",
    }


def test_what_is_not_installed_is_not_scraped(engine) -> None:
    charts = MonitoringCharts(dcgm_exporter=None, blackbox_exporter=None)
    engine.run(lambda: build(ControllerCharts(leader_worker_set=None), charts=charts))

    assert {one for one in engine.children()["main"] if "Monitor" in one or "Probe" in one or "metrics" in one} == {
        "NetworkPolicy main-scout-metrics",
        "PodMonitor main-vllm-scout-podmonitor",
    }


def test_the_monitor_of_a_model_has_exactly_this_spec_and_the_labels_that_prometheus_selects(engine) -> None:
    engine.run(build)

    monitor = engine.named("main-vllm-scout-podmonitor", f"{MONITORS}PodMonitor")
    assert monitor.inputs["metadata"] == {
        "name": "vllm-scout",
        "namespace": "monitoring-system",
        "labels": {"release": "prom"},
    }
    assert spec_of(monitor) == {
        "namespaceSelector": {"matchNames": ["vllm-scout"]},
        "selector": {
            "matchLabels": {
                "leaderworkerset.sigs.k8s.io/name": "scout",
                "leaderworkerset.sigs.k8s.io/worker-index": "0",
            }
        },
        "podMetricsEndpoints": [
            {
                "port": "metrics",
                "interval": "15s",
                "relabelings": [
                    {"targetLabel": "model", "replacement": "scout"},
                    {
                        "sourceLabels": ["__meta_kubernetes_pod_label_leaderworkerset_sigs_k8s_io_group_index"],
                        "targetLabel": "group",
                    },
                    {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"},
                ],
            }
        ],
    }


@pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")
def test_the_monitor_and_the_policy_select_the_leaders_of_the_chart_and_not_their_workers(engine) -> None:
    engine.run(build)
    rendered = Rendered(render_text(model_values(pipeline=2)))

    # Only a leader has the port that the monitor names and that the policy opens.
    ports = [{one["name"]: one["containerPort"] for one in rendered.container(role).get("ports", [])} for role in ROLES]
    assert [METRICS_PORT in one for one in ports] == [True, False]
    for selector in (
        spec_of(engine.named("main-vllm-scout-podmonitor", f"{MONITORS}PodMonitor"))["selector"],
        spec_of(engine.named("main-scout-metrics", POLICY))["podSelector"],
    ):
        assert [matches(selector, pod_labels(rendered, role)) for role in ROLES] == [True, False]
        assert not matches(selector, {"leaderworkerset.sigs.k8s.io/name": "other"})


def test_only_prometheus_s_pods_reach_the_metrics_of_a_model(engine) -> None:
    engine.run(build)

    policy = engine.named("main-scout-metrics", POLICY)
    assert policy.inputs["metadata"] == {"name": "scout-metrics", "namespace": "vllm-scout"}
    spec = spec_of(policy)
    assert spec["policyTypes"] == ["Ingress"]
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": METRICS_PORT}]
    (peer,) = rule["from"]
    assert matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": "monitoring"})
    assert not matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": "default"})
    assert matches(peer["podSelector"], {"app.kubernetes.io/name": "prometheus"})
    assert not matches(peer["podSelector"], {"app.kubernetes.io/name": "grafana"})


def test_the_policy_waits_for_the_namespace_but_not_for_the_model(engine) -> None:
    engine.run(build)

    depends = engine.named("main-scout-metrics", POLICY).depends_on
    assert "scout-namespace" in depends
    assert "scout-release" not in depends


def test_the_controllers_are_scraped_with_prometheus_s_token_by_a_service_of_the_stack(engine) -> None:
    engine.run(build)

    service = engine.named("main-lws-metrics", "kubernetes:core/v1:Service").inputs
    monitor = spec_of(engine.named("main-lws-controller-servicemonitor", f"{MONITORS}ServiceMonitor"))
    assert service["metadata"]["namespace"] == "lws-system"
    assert matches({"matchLabels": service["spec"]["selector"]}, LWS_PODS)
    assert matches(monitor["selector"], service["metadata"]["labels"])
    assert monitor["namespaceSelector"] == {"matchNames": ["lws-system"]}
    (port,) = service["spec"]["ports"]
    # cmd/main.go: `--metrics-bind-address`, ":8443", SecureServing, WithAuthenticationAndAuthorization.
    assert port["port"] == 8443
    assert monitor["endpoints"] == [
        {
            "port": port["name"],
            "scheme": "https",
            "bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "tlsConfig": {"insecureSkipVerify": True},
        }
    ]


def test_series_of_gpus_keep_the_pod_that_uses_them(engine) -> None:
    engine.run(build)

    (endpoint,) = spec_of(engine.named("main-dcgm-exporter-podmonitor", f"{MONITORS}PodMonitor"))["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"},
        {"action": "labeldrop", "regex": "namespace|pod|container"},
    ]


def test_the_probe_asks_for_a_model_s_health_at_its_own_name(engine) -> None:
    engine.run(build)

    assert spec_of(engine.named("main-vllm-scout-probe", f"{MONITORS}Probe")) == {
        "jobName": "front-door",
        "interval": "60s",
        "module": "front_door",
        "prober": {"url": "prometheus-blackbox-exporter.monitoring-system.svc:9115"},
        "targets": {
            "staticConfig": {
                "static": ["https://scout.models.example.com/health"],
                "labels": {"model": "scout", "namespace": "vllm-scout"},
            }
        },
    }


def test_the_operator_s_recorded_configuration_is_of_these_monitors_and_of_the_chart_s_prometheus() -> None:
    recorded = json.loads(CONFIG.read_text())
    models = {f"PodMonitor vllm-{name}": model_monitor(name, f"vllm-{name}") for name in (QUANTIZED, FULL)}
    others = {
        "PodMonitor dcgm-exporter": dcgm_monitor(),
        "ServiceMonitor lws-controller": leader_worker_set_monitor(),
    }
    assert recorded["monitors"] == models | others, "record again: python -m tests.operator_config.record"
    assert recorded["prometheus"] == rendered_prometheus()
    assert recorded["pod_labels"][PROMETHEUS_PODS.key] in PROMETHEUS_PODS.values


def test_the_lab_s_discovery_of_pods_makes_what_prometheus_itself_made() -> None:
    recorded = json.loads(PODS.read_text())
    made = {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": list(target_groups(pod))
        for pod in recorded["pods"]
    }
    assert made == recorded["targets"]
    assert "vllm-scout/scout-0-1" in made
