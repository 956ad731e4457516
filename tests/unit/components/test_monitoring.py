"""What collects metrics, in each of the three ways: children, inputs and the order of a destroy."""

from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components.observability.monitoring import Monitoring, stack_monitoring
from components.observability.prometheus_values import installed_values
from components.observability.rules import Rules
from tests.support.monitoring import ARGS, EXISTING, EXISTING_CLUSTER, FRONT_DOOR, INSTALLED, RENDERS
from tests.support.nested import replaced
from vllm_eks.pins.charts import MonitoringCharts, MonitoringImages
from vllm_eks.specs.observability import InstalledPrometheus, PrometheusSpec

RELEASE = "kubernetes:helm.sh/v3:Release"
RULES = Rules(rule_file={"groups": [{"name": "g", "rules": []}]}, dashboards={"model.json": "{}"})
WORKSPACE = "arn:aws:aps:us-west-2:123456789012:workspace/ws-0123abcd-4567-89ab-cdef-0123456789ab"


def build(spec: PrometheusSpec, **changes: Any) -> Monitoring:
    return Monitoring("main", spec, replaced(ARGS, prometheus=spec, **changes))


def given(engine, name: str) -> dict[str, Any]:
    """Return a release's inputs, without the SDK's own mark."""
    return {key: value for key, value in engine.named(name, RELEASE).inputs.items() if key != "compat"}


def test_a_stack_without_the_section_has_no_resource(engine) -> None:
    engine.run(lambda: stack_monitoring("main", replaced(ARGS, prometheus=None), opts=pulumi.ResourceOptions()))

    assert engine.registrations == []


def test_an_own_prometheus_has_exactly_these_children(engine) -> None:
    engine.run(lambda: build(INSTALLED, rules=RULES))

    assert engine.children() == {
        "vllm-eks-test": {"Monitoring main"},
        "main": {
            "Namespace main-monitoring-namespace",
            "NetworkPolicy main-monitoring-policy",
            "Stash main-grafana-password",
            "Secret main-grafana-admin",
            "PrometheusVolume main-prometheus",
            "Release main-kube-prometheus-stack",
            "Release main-dcgm-exporter",
            "PrometheusRule main-rules",
            "ConfigMap main-dashboard-model",
        },
        "main-prometheus": {
            "Role main-prometheus-driver-role",
            "RolePolicyAttachment main-prometheus-driver-policy",
            "PodIdentityAssociation main-prometheus-driver-association",
            "Addon main-prometheus-aws-ebs-csi-driver",
            "Volume main-prometheus-volume",
            "StorageClass main-prometheus-class",
            "PersistentVolume main-prometheus-persistent-volume",
            "PersistentVolumeClaim main-prometheus-claim",
        },
    }


def test_its_release_has_exactly_these_inputs_and_no_secret(engine) -> None:
    engine.run(lambda: build(INSTALLED))

    assert given(engine, "main-kube-prometheus-stack") == {
        "name": "kube-prometheus-stack",
        "namespace": "monitoring-system",
        "chart": "kube-prometheus-stack",
        "repositoryOpts": {"repo": "https://prometheus-community.github.io/helm-charts"},
        "version": "88.5.3",
        "timeout": 600,
        "maxHistory": 5,
        "values": installed_values(
            INSTALLED, cluster_name="vllm-dev", storage_class="vllm-eks-prometheus", registry=None
        ),
    }
    release = engine.named("main-kube-prometheus-stack", RELEASE)
    assert release.secret_paths == frozenset()
    assert release.request.deleteBeforeReplace
    # It is deleted before the claim, and so before the volume and its driver.
    assert {"main-prometheus-claim", "main-grafana-admin", "main-monitoring-namespace"} <= release.depends_on


def test_grafana_s_password_is_generated_once_and_only_in_its_secret(start_engine) -> None:
    passwords = []
    for _ in range(2):
        engine = start_engine()
        engine.run(lambda: build(INSTALLED))
        secret = engine.only("kubernetes:core/v1:Secret")
        assert secret.inputs["metadata"] == {"name": "grafana-admin", "namespace": "monitoring-system"}
        assert secret.secret_paths == {"stringData"}
        stash = engine.only("pulumi:index:Stash")
        assert list(stash.request.ignoreChanges) == ["input"]
        passwords.append(secret.inputs["stringData"]["admin-password"])
        everything_else = [one.inputs for one in engine.registrations if one.type not in (secret.type, stash.type)]
        assert passwords[-1] not in str(everything_else)
    assert passwords[0] != passwords[1]
    assert min(map(len, passwords)) >= 40


def test_rules_and_dashboards_of_a_stack_with_capitals_have_names_that_kubernetes_accepts(engine) -> None:
    arguments = replaced(ARGS, prometheus=EXISTING, cluster=EXISTING_CLUSTER, rules=RULES)
    engine.run(lambda: Monitoring("vllm-Dev_1", EXISTING, arguments))

    rule = engine.named("vllm-Dev_1-rules", "kubernetes:monitoring.coreos.com/v1:PrometheusRule")
    dashboard = engine.named("vllm-Dev_1-dashboard-model", "kubernetes:core/v1:ConfigMap")
    assert rule.inputs["metadata"]["name"] == "vllm-dev-1-eae7a1b7"
    assert dashboard.inputs["metadata"]["name"] == "vllm-dev-1-eae7a1b7-model"


def test_rules_and_dashboards_come_after_the_operator_and_go_before_it(engine) -> None:
    engine.run(lambda: build(INSTALLED, rules=RULES))

    rule = engine.named("main-rules", "kubernetes:monitoring.coreos.com/v1:PrometheusRule")
    assert rule.inputs["spec"] == RULES.rule_file
    assert rule.inputs["metadata"] == {"name": "main", "namespace": "monitoring-system"}
    dashboard = engine.named("main-dashboard-model", "kubernetes:core/v1:ConfigMap")
    assert dashboard.inputs["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert dashboard.inputs["data"] == {"model.json": "{}"}
    assert all("main-kube-prometheus-stack" in one.depends_on for one in (rule, dashboard))


def test_in_an_existing_cluster_its_driver_makes_the_volume_and_the_claim_goes_with_the_stateful_set(engine) -> None:
    spec = InstalledPrometheus(storage_class="gp3")
    engine.run(lambda: build(spec, cluster=EXISTING_CLUSTER))

    assert "main-prometheus" not in engine.children()
    prometheus = given(engine, "main-kube-prometheus-stack")["values"]["prometheus"]["prometheusSpec"]
    assert prometheus["storageSpec"]["volumeClaimTemplate"]["spec"]["storageClassName"] == "gp3"
    assert prometheus["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Delete", "whenScaled": "Retain"}


def test_an_existing_prometheus_gets_only_objects_and_exporters(engine) -> None:
    engine.run(lambda: build(EXISTING, rules=RULES, cluster=EXISTING_CLUSTER))

    assert engine.children() == {
        "vllm-eks-test": {"Monitoring main"},
        "main": {
            "Namespace main-monitoring-namespace",
            "NetworkPolicy main-monitoring-policy",
            "Release main-dcgm-exporter",
            "PrometheusRule main-rules",
            "ConfigMap main-dashboard-model",
        },
    }
    rule = engine.named("main-rules", "kubernetes:monitoring.coreos.com/v1:PrometheusRule")
    assert rule.inputs["metadata"]["labels"] == {"release": "prom"}


@pytest.mark.parametrize(("cluster", "arguments"), [("new", ["-r", "$(NODE_IP):5555"]), ("existing", [])])
def test_only_a_new_cluster_surely_has_the_agent_s_host_engine(engine, cluster: str, arguments: list[str]) -> None:
    changes = {} if cluster == "new" else {"cluster": EXISTING_CLUSTER}
    engine.run(lambda: build(EXISTING, **changes))

    values = given(engine, "main-dcgm-exporter")["values"]
    assert values["arguments"][2:] == arguments
    assert "DCGM_FI_PROF" not in values["customMetrics"], "only one process may profile a GPU"


def test_the_front_door_is_probed_only_if_it_has_a_certificate(start_engine) -> None:
    probed = []
    for endpoint in (None, FRONT_DOOR, replace(FRONT_DOOR, certificate_arn=None)):
        engine = start_engine()
        engine.run(lambda endpoint=endpoint: build(EXISTING, endpoint=endpoint))
        probed.append("Release main-prometheus-blackbox-exporter" in engine.children()["main"])
    assert probed == [False, True, False]


def test_exporters_that_the_cluster_has_are_not_installed(engine) -> None:
    charts = MonitoringCharts(dcgm_exporter=None, blackbox_exporter=None)
    engine.run(lambda: build(EXISTING, charts=charts, endpoint=FRONT_DOOR))

    assert engine.of_type(RELEASE) == []


def test_a_mirror_has_all_images(engine) -> None:
    images = MonitoringImages(registry="registry.example.com/mirror", dcgm_exporter="registry.example.com/dcgm:4.8")
    engine.run(lambda: build(INSTALLED, images=images, endpoint=FRONT_DOOR))

    for name in ("main-kube-prometheus-stack", "main-prometheus-blackbox-exporter"):
        assert given(engine, name)["values"]["global"] == {"imageRegistry": "registry.example.com/mirror"}
    assert given(engine, "main-dcgm-exporter")["values"]["image"] == {
        "repository": "registry.example.com/dcgm",
        "tag": "4.8",
    }


@pytest.mark.parametrize(
    ("spec", "others"), [(INSTALLED, []), (EXISTING, [("monitoring", ["prometheus", "prometheus-agent"])])]
)
def test_only_pods_of_the_namespace_and_prometheus_reach_it(engine, spec: PrometheusSpec, others: list) -> None:
    engine.run(lambda: build(spec))

    policy = engine.only("kubernetes:networking.k8s.io/v1:NetworkPolicy").inputs
    assert policy["metadata"] == {"name": "monitoring-only", "namespace": "monitoring-system"}
    assert (policy["spec"]["podSelector"], policy["spec"]["policyTypes"]) == ({}, ["Ingress"])
    (rule,) = policy["spec"]["ingress"]
    own, *rest = rule["from"]
    assert own == {"podSelector": {}}
    assert [
        (
            peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            peer["podSelector"]["matchExpressions"][0]["values"],
        )
        for peer in rest
    ] == others


def test_the_outputs_say_how_to_look(engine) -> None:
    made = {}
    engine.run(lambda: made.setdefault("one", build(INSTALLED)))

    assert list(made["one"].outputs) == ["grafana", "readGrafanaPassword", "prometheus", "alertmanager"]
    services = RENDERS["installed"]["services"]
    for service, port in (("grafana", 80), ("prometheus", 9090), ("alertmanager", 9093)):
        assert services[f"kube-prometheus-stack-{service}"]["ports"][0]["port"] == port
