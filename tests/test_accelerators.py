from typing import Any

import pulumi
import pytest

from components.accelerators import Accelerators, AcceleratorsArgs
from components.chart_sources import LEADER_WORKER_SET, NVIDIA_DEVICE_PLUGIN, ChartSource

RELEASE = "kubernetes:helm.sh/v3:Release"


def build(**changes: Any) -> Accelerators:
    return Accelerators("accelerators", AcceleratorsArgs(**changes))


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


def test_a_controller_the_cluster_has_already_is_not_installed_again(engine) -> None:
    engine.run(lambda: build(nvidia_device_plugin=None, leader_worker_set=None, efa_device_plugin=None, efa=True))

    assert engine.children() == {"vllm-eks-test": {"Accelerators accelerators"}}


def test_children_stay_inside_when_the_controllers_are_nested(engine) -> None:
    class Outer(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Outer", "outer")
            Accelerators("accelerators", AcceleratorsArgs(), opts=pulumi.ResourceOptions(parent=self))

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
        },
        "accelerators-lws": {
            "name": "lws",
            "namespace": "lws-system",
            "chart": "oci://registry.k8s.io/lws/charts/lws",
            "version": "0.10.0",
            "timeout": 600,
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
    }


def test_a_local_folder_needs_neither_repository_nor_version(engine) -> None:
    engine.run(lambda: build(leader_worker_set=ChartSource(chart="./mirror/lws")))

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


def test_a_replaced_release_gives_up_its_name_first(engine) -> None:
    engine.run(lambda: build(efa=True))

    assert [one.request.deleteBeforeReplace for one in engine.of_type(RELEASE)] == [True, True, True]


def version_of(source: ChartSource) -> tuple[int, ...]:
    assert source.version is not None
    return tuple(int(part) for part in source.version.removeprefix("v").split("."))


@pytest.mark.parametrize(("source", "lowest"), [(NVIDIA_DEVICE_PLUGIN, (0, 19, 3)), (LEADER_WORKER_SET, (0, 8, 0))])
def test_pinned_versions_are_past_the_ones_known_to_do_harm(source: ChartSource, lowest) -> None:
    assert version_of(source) >= lowest
