import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.controllers.accelerators import Accelerators
from vllm_eks.pins.charts import (
    LEADER_WORKER_SET,
    NVIDIA_DEVICE_PLUGIN,
    ChartSource,
    ControllerCharts,
    ControllerImages,
)
from vllm_eks.specs.controllers import ControllersSpec

TWO_CONTROLLERS = {
    "replicaCount": 2,
    "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}},
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "labelSelector": {"matchLabels": {"control-plane": "controller-manager"}},
                        "topologyKey": "kubernetes.io/hostname",
                    },
                }
            ]
        }
    },
}
NO_CHARTS = ControllerCharts(nvidia_device_plugin=None, leader_worker_set=None, efa_device_plugin=None)
RELEASE = "kubernetes:helm.sh/v3:Release"


def build(**changes: Any) -> Accelerators:
    return Accelerators("accelerators", ControllersSpec(**changes))


def releases(engine) -> dict[str, dict]:
    # `compat` is the SDK's own mark on every Release.
    return {
        one.name: {key: value for key, value in one.inputs.items() if key != "compat"}
        for one in engine.of_type(RELEASE)
    }


def test_without_efa_there_are_two_controllers(engine) -> None:
    engine.run(build)

    assert engine.children() == {
        "vllm-eks-test": {"Accelerators accelerators"},
        "accelerators": {
            "Namespace accelerators-lws-namespace",
            "Release accelerators-lws",
            "Release accelerators-nvidia-device-plugin",
        },
    }


def test_an_existing_controller_is_not_installed(engine) -> None:
    engine.run(lambda: build(charts=NO_CHARTS, efa=True))

    assert engine.children() == {"vllm-eks-test": {"Accelerators accelerators"}}


def test_children_stay_inside_when_the_controllers_are_nested(engine) -> None:
    class Outer(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Outer", "outer")
            Accelerators("accelerators", ControllersSpec(), opts=pulumi.ResourceOptions(parent=self))

    engine.run(Outer)

    assert set(engine.children()) == {"vllm-eks-test", "outer", "accelerators"}


def test_the_charts_are_the_publishers_at_pinned_versions(engine) -> None:
    engine.run(build)

    assert releases(engine) == {
        "accelerators-nvidia-device-plugin": {
            "name": "nvidia-device-plugin",
            "namespace": "kube-system",
            "chart": "nvidia-device-plugin",
            "repositoryOpts": {"repo": "https://nvidia.github.io/k8s-device-plugin"},
            "version": "0.20.0",
            "timeout": 600,
            "maxHistory": 5,
        },
        "accelerators-lws": {
            "name": "lws",
            "namespace": "lws-system",
            "chart": "oci://registry.k8s.io/lws/charts/lws",
            "version": "0.10.0",
            "values": TWO_CONTROLLERS,
            "timeout": 600,
            "maxHistory": 5,
        },
    }


def test_the_efa_plugin_tolerates_the_gpu_taint(engine) -> None:
    engine.run(lambda: build(efa=True))

    assert releases(engine)["accelerators-aws-efa-k8s-device-plugin"] == {
        "name": "aws-efa-k8s-device-plugin",
        "namespace": "kube-system",
        "chart": "aws-efa-k8s-device-plugin",
        "repositoryOpts": {"repo": "https://aws.github.io/eks-charts"},
        "version": "v0.5.30",
        "values": {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]},
        "timeout": 600,
        "maxHistory": 5,
    }


def test_a_local_folder_needs_neither_repository_nor_version(engine) -> None:
    engine.run(lambda: build(charts=ControllerCharts(leader_worker_set=ChartSource(chart="./mirror/lws"))))

    release = releases(engine)["accelerators-lws"]
    assert release["chart"] == "./mirror/lws"
    assert "version" not in release
    assert "repositoryOpts" not in release


def test_the_controller_s_namespace_outlives_it_and_takes_no_privileged_pod(engine) -> None:
    engine.run(build)

    assert "accelerators-lws-namespace" in engine.named("accelerators-lws", RELEASE).depends_on
    assert engine.only("kubernetes:core/v1:Namespace").inputs["metadata"] == {
        "name": "lws-system",
        "labels": {"pod-security.kubernetes.io/enforce": "baseline"},
    }


def test_a_replaced_release_is_deleted_first(engine) -> None:
    engine.run(lambda: build(efa=True))

    assert [one.request.deleteBeforeReplace for one in engine.of_type(RELEASE)] == [True, True, True]


def version_of(source: ChartSource) -> tuple[int, ...]:
    assert source.version is not None
    return tuple(int(part) for part in source.version.removeprefix("v").split("."))


@pytest.mark.parametrize(("source", "lowest"), [(NVIDIA_DEVICE_PLUGIN, (0, 19, 3)), (LEADER_WORKER_SET, (0, 8, 0))])
def test_pinned_versions_are_newer_than_known_bad_ones(source: ChartSource, lowest) -> None:
    assert version_of(source) >= lowest


FACTS = json.loads((Path(__file__).parents[2] / "data" / "gpu_node_daemonsets.json").read_text())


def test_every_chart_accepts_an_image_from_another_registry(engine) -> None:
    references = {
        "nvidia_device_plugin": "registry.example.com/nvidia/k8s-device-plugin:v0.20.0",
        "leader_worker_set": "registry.example.com:5000/lws@sha256:" + "0" * 64,
        "efa_device_plugin": "registry.example.com/efa:v0.5.20",
    }
    engine.run(lambda: build(efa=True, images=ControllerImages(**references)))

    by_chart = {one["chart"].rpartition("/")[2]: one["values"] for one in releases(engine).values()}
    for name, fact in FACTS["image_values"].items():
        values = by_chart[fact["chart"].split(" ")[0]]
        assert values.keys() <= set(fact["others"]), "the chart has no such value"
        image = values
        for key in fact["path"].split("."):
            image = image[key]
        assert image.keys() <= set(fact["keys"])
        assert f"{image['repository']}:{image['tag']}" == references[name], "as the chart puts it together"


def test_without_a_setting_charts_use_their_own_images(engine) -> None:
    engine.run(lambda: build(efa=True))

    assert all("image" not in one.get("values", {}) for one in releases(engine).values())
