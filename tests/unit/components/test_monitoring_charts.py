"""The charts for metrics, rendered with the stack's values (tests/data/monitoring_charts.json)."""

import re

import pytest

from components.nodes.gpu_taint import GPU_TOLERATION
from components.observability.names import BLACKBOX_ADDRESS, DCGM_RELEASE, PROMETHEUS_PODS
from tests.monitoring_charts.make_facts import RENDERS as WANTED
from tests.support.monitoring import RENDERS
from vllm_eks.monitoring.gpu_counters import GPU_COUNTERS
from vllm_eks.pins.charts import BLACKBOX_EXPORTER, DCGM_EXPORTER, KUBE_PROMETHEUS_STACK

INSTALLED, AGENT = RENDERS["installed"], RENDERS["agent"]
PROMETHEUS = INSTALLED["custom"]["Prometheus kube-prometheus-stack"]


def millicores(text: str) -> int:
    return int(text.removesuffix("m")) if text.endswith("m") else int(text) * 1000


def mebibytes(text: str) -> int:
    return int(text[:-2]) * (1024 if text.endswith("Gi") else 1)


@pytest.mark.parametrize("name", WANTED)
def test_the_render_is_of_the_pinned_chart_with_our_values(name: str) -> None:
    chart, values = WANTED[name]
    versions = {one.chart: one.version for one in (KUBE_PROMETHEUS_STACK, DCGM_EXPORTER, BLACKBOX_EXPORTER)}
    assert RENDERS[name]["chart"] == f"{chart} {versions[chart]}", "render the chart again"
    assert RENDERS[name]["values"] == values, "render the chart again with the new values"


def test_the_agent_has_no_rules_alertmanager_grafana_or_volume() -> None:
    kinds = {name.partition(" ")[0] for name in AGENT["objects"]}
    assert "PrometheusAgent" in kinds
    assert not kinds & {"Prometheus", "Alertmanager", "PrometheusRule", "PersistentVolumeClaim"}
    assert not [name for name in AGENT["objects"] if "grafana" in name]


@pytest.mark.parametrize("name", ["installed", "agent"])
def test_no_webhook_job_or_rule_of_the_chart_is_left(name: str) -> None:
    kinds = {one.partition(" ")[0] for one in RENDERS[name]["objects"]}
    assert not kinds & {
        "Job",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "PrometheusRule",
        "Pod",
    }


@pytest.mark.parametrize("name", ["installed", "agent"])
def test_nothing_is_scraped_that_eks_does_not_offer(name: str) -> None:
    scraped = {one.partition(" ")[2] for one in RENDERS[name]["custom"] if one.startswith("ServiceMonitor")}
    parts = {one.removeprefix("kube-prometheus-stack-") for one in scraped}
    assert parts == {"kubelet", "kube-state-metrics", "operator", "prometheus", "prometheus-node-exporter"} | (
        {"alertmanager"} if name == "installed" else set()
    )


def test_prometheus_selects_all_monitors_and_rules_of_the_cluster() -> None:
    for kind in ("serviceMonitor", "podMonitor", "probe", "rule"):
        assert (PROMETHEUS[f"{kind}Selector"], PROMETHEUS[f"{kind}NamespaceSelector"]) == ({}, {})
    agent = AGENT["custom"]["PrometheusAgent kube-prometheus-stack"]
    assert (agent["podMonitorSelector"], agent["probeSelector"]) == ({}, {})


def test_prometheus_deletes_its_oldest_series_before_the_volume_is_full() -> None:
    volume = PROMETHEUS["storage"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]
    assert (PROMETHEUS["retention"], PROMETHEUS["retentionSize"], volume) == ("15d", "43520MB", "50Gi")
    assert 43520 / (50 * 1024) == 0.85


def test_the_labels_of_the_network_hole_are_those_of_prometheus_s_pods() -> None:
    # The operator sets them, and the chart's own anti-affinity relies on them.
    for spec, name in (
        (PROMETHEUS, "prometheus"),
        (AGENT["custom"]["PrometheusAgent kube-prometheus-stack"], "prometheus-agent"),
    ):
        (term,) = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        label = term["podAffinityTerm"]["labelSelector"]["matchExpressions"][0]
        assert (label["key"], label["values"]) == (PROMETHEUS_PODS.key, [name])
        assert name in PROMETHEUS_PODS.values


def test_only_the_operator_and_grafana_in_its_namespace_read_secrets() -> None:
    assert INSTALLED["reads_secrets"] == [
        "ClusterRole kube-prometheus-stack-operator",
        "Role kube-prometheus-stack-grafana",
    ]
    assert AGENT["reads_secrets"] == ["ClusterRole kube-prometheus-stack-operator"]


def test_alertmanager_uses_the_user_s_secret() -> None:
    assert INSTALLED["custom"]["Alertmanager kube-prometheus-stack"]["configSecret"] == "receivers"


@pytest.mark.parametrize("name", ["installed", "agent"])
def test_node_exporter_runs_on_gpu_nodes_too(name: str) -> None:
    pod = RENDERS[name]["pods"]["DaemonSet kube-prometheus-stack-prometheus-node-exporter"]
    assert pod["tolerations"] == [{"effect": "NoSchedule", "operator": "Exists"}]


@pytest.mark.parametrize("name", ["dcgm", "dcgm of an existing cluster"])
def test_the_dcgm_exporter_runs_on_the_models_nodes_only_without_privileges(name: str) -> None:
    pod = RENDERS[name]["pods"]["DaemonSet dcgm-exporter"]
    assert pod["tolerations"] == [GPU_TOLERATION]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchExpressions": [{"key": "vllm-eks/model", "operator": "Exists"}]}
    container = pod["containers"]["exporter"]
    assert container["securityContext"]["capabilities"] == {"add": [], "drop": ["ALL"]}
    assert container["ports"] == [{"containerPort": 9400, "name": "metrics"}]
    assert pod["labels"]["app.kubernetes.io/name"] == DCGM_RELEASE
    counters = RENDERS[name]["config_maps"]["exporter-metrics-config-map"]["metrics"]
    assert re.findall(r"^(DCGM_\w+),", counters, re.MULTILINE) == [field for field, _, _ in GPU_COUNTERS]


def test_the_exporter_asks_the_host_engine_of_its_own_node() -> None:
    container = RENDERS["dcgm"]["pods"]["DaemonSet dcgm-exporter"]["containers"]["exporter"]
    assert container["args"] == ["-f", "/etc/dcgm-exporter/default-counters.csv", "-r", "$(NODE_IP):5555"]
    sources = {one["name"]: one.get("valueFrom") for one in container["env"]}
    assert sources["NODE_IP"] == {"fieldRef": {"fieldPath": "status.hostIP"}}


def test_the_probes_go_to_the_blackbox_exporter_s_service() -> None:
    (service,) = RENDERS["blackbox"]["services"]
    (port,) = RENDERS["blackbox"]["services"][service]["ports"]
    assert f"{service}.monitoring-system.svc:{port['port']}" == BLACKBOX_ADDRESS
    assert "front_door" in RENDERS["blackbox"]["config_maps"][service]["blackbox.yaml"]


def test_a_mirror_is_used_for_every_image() -> None:
    for name in ("installed", "blackbox"):
        images = [one["image"] for pod in RENDERS[name]["pods"].values() for one in pod["containers"].values()]
        images += [one["image"] for one in RENDERS[name]["custom"].values() if "image" in one]
        arguments = [
            argument
            for pod in RENDERS[name]["pods"].values()
            for one in pod["containers"].values()
            for argument in one["args"]
            if "image=" in argument or "config-reloader=" in argument
        ]
        assert images
        assert all(one.startswith("registry.example.com/mirror/") for one in images)
        assert all("=registry.example.com/mirror/" in one for one in arguments)


def test_two_system_nodes_have_room_for_all_of_it() -> None:
    deployed = [
        (container["resources"]["requests"], pod["replicas"])
        for name, pod in INSTALLED["pods"].items()
        for container in pod["containers"].values()
        if not name.startswith("DaemonSet")
    ]
    custom = [(one["resources"]["requests"], 1) for one in INSTALLED["custom"].values() if "resources" in one]
    reloaders = [({"cpu": "10m", "memory": "32Mi"}, 2)]
    assert len(deployed) == 5
    # CoreDNS v1.14.3 and the EBS CSI driver's controller (6 containers), as EKS deploys them, and our LeaderWorkerSet.
    others = [({"cpu": "100m", "memory": "70Mi"}, 2), ({"cpu": "250m", "memory": "512Mi"}, 2)]
    others += [({"cpu": "60m", "memory": "240Mi"}, 2)]
    # With an endpoint: the load balancer controller and the exporter that requests /health.
    others += [({"cpu": "100m", "memory": "128Mi"}, 2), ({"cpu": "10m", "memory": "32Mi"}, 1)]
    cpu = sum(millicores(one["cpu"]) * count for one, count in (*deployed, *custom, *reloaders, *others))
    memory = sum(mebibytes(one["memory"]) * count for one, count in (*deployed, *custom, *reloaders, *others))
    # On each node: vpc-cni with its agent, kube-proxy, the monitoring agent, the EBS CSI node plugin, node-exporter,
    # and with `logs` Fluent Bit.
    each_cpu, each_memory = 50 + 100 + 10 + 30 + 25 + 50, 30 + 120 + 32 + 64
    # m7i.large: 70m CPU and 574 MiB are the kubelet's, 100 MiB are kept free (amazon-eks-ami, nodeadm), and 7.5 % of
    # the memory are not the kernel's (Karpenter, VM_MEMORY_OVERHEAD_PERCENT).
    node_cpu, node_memory = 2000 - 70, int(8192 * 0.925) - 574 - 100
    assert (cpu, memory) == (1505, 4268)
    # One node alone has the memory, so that the other may be away. Then the pods have less CPU than they request.
    assert memory + each_memory <= node_memory
    assert cpu <= 2 * (node_cpu - each_cpu)
