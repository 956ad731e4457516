"""Stacks with metrics: what a destroy leaves, what the models notice, and the bill."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.support.resource_graph import Graph
from vllm_eks.cli.views.cost import bill
from vllm_eks.cli.views.usage_costs import usage_notes, usage_rates
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file

RELEASE = "kubernetes:helm.sh/v3:Release"


def test_metrics_in_the_cluster_leave_nothing_behind_that_costs_money(
    recorded_example: Callable[[str], Recording],
) -> None:
    graph = Graph(recorded_example("observability-install"))
    prometheus, driver = "Release kube-prometheus-stack", "Addon aws-ebs-csi-driver"
    order = [
        # Monitors before the operator, and Prometheus before what it stores.
        ("PodMonitor vllm-qwen3-8b-podmonitor", prometheus),
        (prometheus, "PersistentVolumeClaim prometheus-claim"),
        ("PersistentVolumeClaim prometheus-claim", "PersistentVolume prometheus-persistent-volume"),
        ("PersistentVolume prometheus-persistent-volume", "Volume prometheus-volume"),
        # The driver detaches the volume, with its role and on a system node.
        ("Volume prometheus-volume", driver),
        (driver, "PodIdentityAssociation prometheus-driver-association"),
        (driver, "RolePolicyAttachment prometheus-driver-policy"),
        (driver, "NodeGroup system-nodes"),
        (prometheus, "NodeGroup system-nodes"),
        ("NetworkPolicy qwen3-8b-metrics", "Namespace qwen3-8b-namespace"),
        ("ServiceMonitor lws-controller-servicemonitor", "Service lws-metrics"),
        ("Service lws-metrics", "Release lws"),
    ]
    for first, second in order:
        assert graph.goes_before(first, second), f"{first} must go before {second}"
        assert not graph.goes_before(second, first)


def test_metrics_hold_up_no_model_and_no_model_holds_up_metrics(recorded_example: Callable[[str], Recording]) -> None:
    graph = Graph(recorded_example("observability-install"))
    for model, metrics in (
        ("Release qwen3-8b-release", "Release kube-prometheus-stack"),
        ("NodeGroup qwen3-8b-nodes", "Release kube-prometheus-stack"),
        # The policy is there while the model starts.
        ("Release qwen3-8b-release", "NetworkPolicy qwen3-8b-metrics"),
    ):
        assert not graph.goes_before(model, metrics)
        assert not graph.goes_before(metrics, model)


def test_gpu_nodes_wait_for_the_rules_that_a_cluster_without_the_operator_refuses(
    recorded_example: Callable[[str], Recording],
) -> None:
    graph = Graph(recorded_example("observability-existing"))
    assert graph.goes_before("NodeGroup qwen3-8b-nodes", "PrometheusRule rules")


def test_turning_metrics_on_changes_no_resource(
    recorded_example: Callable[[str], Recording], example_folder: Path
) -> None:
    with_metrics = (example_folder / "Pulumi.observability-install.yaml").read_text()
    before, _, rest = with_metrics.partition("  vllm-eks:observability:\n")
    without = before + rest[rest.index("  vllm-eks:cluster:") :]
    # The stack's name is part of every name, so the file is read under the same one.
    (example_folder / "Pulumi.observability-install.yaml").write_text(without)
    try:
        plain = record(example_folder, read_stack_file(example_folder, "observability-install").for_offline_preview())
    finally:
        (example_folder / "Pulumi.observability-install.yaml").write_text(with_metrics)
    later = {one.urn: one.inputs for one in recorded_example("observability-install").registrations}
    changed = [one for one in plain.registrations if later[one.urn] != one.inputs]
    # Each run generates another key, and the state keeps the first.
    assert {one.name for one in changed} == {"qwen3-8b-api-key", "qwen3-8b-made-api-key"}


def test_the_bill_has_the_volume_of_prometheus(recorded_example: Callable[[str], Recording]) -> None:
    parts = {part.part: part for part in bill(recorded_example("observability-install"))}
    assert parts["Prometheus volume"].what == "100 x GiB of gp3"
    assert "Prometheus volume" not in {part.part for part in bill(recorded_example("observability-existing"))}


def test_a_workspace_bills_samples_whose_number_the_preview_estimates(
    recorded_example: Callable[[str], Recording],
) -> None:
    recording = recorded_example("observability-install")
    to_workspace = {"prometheus": {"prometheusSpec": {"scrapeInterval": "30s", "remoteWrite": [{"url": "https://x"}]}}}
    changed = [
        replace(one, inputs={**one.inputs, "values": to_workspace})
        if one.name.endswith("kube-prometheus-stack")
        else one
        for one in recording.registrations
    ]
    managed = replace(recording, registrations=changed)
    rates = {rate.unit: rate.usd for rate in usage_rates(managed) if rate.part == "metrics"}
    assert rates == {
        "million samples that the workspace receives": 0.09,
        "GB stored, a month": 0.03,
        "billion samples of queries": 0.1,
    }
    # 430 series every 15 s, and 10,000 every 30 s, for 730 hours: 175,200 and 87,600 samples of each.
    assert next(usage_notes(managed)) == (
        "metrics: each month about 75 million samples ($6.78) of 1 leader, and 876 million ($78.84) for each 10,000 "
        "series of nodes, GPUs and pods"
    )
    # Nothing is taken from another region's list.
    elsewhere = replace(managed, region="us-gov-west-1")
    assert [rate.usd for rate in usage_rates(elsewhere) if rate.part == "metrics"] == [None] * 3
    assert "million samples of 1 leader" in next(usage_notes(elsewhere))
    assert [rate for rate in usage_rates(recording) if rate.part == "metrics"] == []


def test_an_existing_prometheus_gets_monitors_with_its_labels_and_nothing_else(
    recorded_example: Callable[[str], Recording],
) -> None:
    recording = recorded_example("observability-existing")
    releases = {one.name.removeprefix("vllm-eks-observability-existing-") for one in recording.of_type(RELEASE)}
    assert releases == {"lws", "dcgm-exporter", "qwen3-8b-release"}
    (monitor,) = [one for one in recording.registrations if one.name.endswith("vllm-qwen3-8b-podmonitor")]
    assert monitor.inputs["metadata"]["labels"] == {"release": "kube-prometheus-stack"}
    assert recording.of_type("aws:ebs/volume:Volume") == []


def test_prometheus_gets_the_alerts_of_the_plan_and_grafana_the_dashboards(
    recorded_example: Callable[[str], Recording],
) -> None:
    recording = recorded_example("observability-install")
    (rule,) = recording.of_type("kubernetes:monitoring.coreos.com/v1:PrometheusRule")
    (start,) = [
        rule
        for group in rule.inputs["spec"]["groups"]
        for rule in group["rules"]
        if rule.get("alert") == "VllmEksStartOverBudget"
    ]
    (release,) = [one for one in recording.of_type(RELEASE) if one.name == "qwen3-8b-release"]
    assert start["for"] == f"{release.inputs['values']['startup']['budgetSeconds']:.0f}s"
    assert 'pod=~"qwen3-8b-[0-9]+",namespace=~"vllm-qwen3-8b"' in start["expr"]
    maps = [one for one in recording.of_type("kubernetes:core/v1:ConfigMap") if "dashboard" in one.name]
    assert sorted(name for one in maps for name in one.inputs["data"]) == [
        "vllm-eks-groups.json",
        "vllm-eks-model.json",
        "vllm-eks-nodes.json",
    ]
    assert {one.inputs["metadata"]["labels"]["grafana_dashboard"] for one in maps} == {"1"}
