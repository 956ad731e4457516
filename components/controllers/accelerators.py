"""The controllers for GPUs, EFA and groups of pods."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.controllers.images import split_image
from components.helm_releases import third_party_release
from components.nodes.gpu_taint import GPU_TOLERATION
from vllm_eks.pins.charts import ChartSource
from vllm_eks.specs.controllers import ControllersSpec

LEADER_WORKER_SET_NAMESPACE = "lws-system"


class Accelerators(pulumi.ComponentResource):
    """Upstream charts only. The device plugins run on GPU nodes, and the LeaderWorkerSet controller on system nodes."""

    def __init__(self, name: str, spec: ControllersSpec, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:Accelerators", name, {}, opts)
        self._name = name
        charts, images = spec.charts, spec.images
        # The AMI has NVIDIA's driver and container toolkit, but not the device plugin.
        if charts.nvidia_device_plugin:
            values = image_values(images.nvidia_device_plugin)
            self._release("nvidia-device-plugin", charts.nvidia_device_plugin, "kube-system", values)
        if spec.efa and charts.efa_device_plugin:
            values = {"tolerations": [GPU_TOLERATION], **image_values(images.efa_device_plugin)}
            self._release("aws-efa-k8s-device-plugin", charts.efa_device_plugin, "kube-system", values)
        if charts.leader_worker_set:
            values = leader_worker_set_values(images.leader_worker_set)
            self._release("lws", charts.leader_worker_set, self._leader_worker_set_namespace(), values)
        self.register_outputs({})

    def _leader_worker_set_namespace(self) -> pulumi.Output[str]:
        namespace = kubernetes.core.v1.Namespace(
            f"{self._name}-lws-namespace",
            metadata={
                "name": LEADER_WORKER_SET_NAMESPACE,
                "labels": {"pod-security.kubernetes.io/enforce": "baseline"},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        return namespace.metadata["name"]

    def _release(
        self,
        release_name: str,
        source: ChartSource,
        namespace: pulumi.Input[str],
        values: Mapping[str, Any],
    ) -> None:
        third_party_release(
            f"{self._name}-{release_name}",
            release_name=release_name,
            source=source,
            namespace=namespace,
            values=values,
            opts=pulumi.ResourceOptions(parent=self),
        )


def image_values(reference: str | None) -> dict[str, Any]:
    """Return the values that replace a device plugin's image, or nothing to keep the chart's own."""
    return {"image": split_image(reference)} if reference else {}


def leader_worker_set_values(image: str | None) -> dict[str, Any]:
    """Return the chart's values: two controllers on different nodes, one of them active.

    While no controller runs, a lost pod does not restart its group, and no later controller makes up for it
    (kubernetes-sigs/lws#998). The chart requests 1 CPU for each, which two system nodes with 2 CPUs do not have besides
    CoreDNS and the Jobs. The controller uses only a small part of that.
    """
    others = {"labelSelector": {"matchLabels": {"control-plane": "controller-manager"}}}
    apart = {"weight": 100, "podAffinityTerm": {**others, "topologyKey": "kubernetes.io/hostname"}}
    values: dict[str, Any] = {
        "replicaCount": 2,
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}},
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]}},
    }
    return {**values, "image": {"manager": split_image(image)}} if image else values
