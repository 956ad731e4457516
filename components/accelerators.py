"""The controllers that let pods ask for GPUs, for EFA, and for groups of pods."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.chart_sources import (
    EFA_DEVICE_PLUGIN,
    LEADER_WORKER_SET,
    NVIDIA_DEVICE_PLUGIN,
    ChartSource,
)
from components.gpu_node_group import GPU_TAINT_KEY

TIMEOUT_SECONDS = 600
LEADER_WORKER_SET_NAMESPACE = "lws-system"


@dataclass(frozen=True, kw_only=True)
class AcceleratorsArgs:
    """What Accelerators needs. A chart that is None is there already: two controllers of a kind would fight."""

    nvidia_device_plugin: ChartSource | None = NVIDIA_DEVICE_PLUGIN
    leader_worker_set: ChartSource | None = LEADER_WORKER_SET
    efa_device_plugin: ChartSource | None = EFA_DEVICE_PLUGIN
    efa: bool = False
    """Whether any model asks for EFA, so that its device plugin is needed."""


class Accelerators(pulumi.ComponentResource):
    """Upstream charts only. The device plugins run on GPU nodes, the LeaderWorkerSet controller on system nodes."""

    def __init__(self, name: str, args: AcceleratorsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:Accelerators", name, {}, opts)
        self._name = name
        # The image has NVIDIA's driver and container toolkit, but not the plugin.
        if args.nvidia_device_plugin:
            self._release("nvidia-device-plugin", args.nvidia_device_plugin, "kube-system")
        if args.efa and args.efa_device_plugin:
            tolerations = [{"key": GPU_TAINT_KEY, "operator": "Exists", "effect": "NoSchedule"}]
            self._release(
                "aws-efa-k8s-device-plugin", args.efa_device_plugin, "kube-system", {"tolerations": tolerations}
            )
        if args.leader_worker_set:
            self._release("lws", args.leader_worker_set, self._leader_worker_set_namespace())
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
        values: Mapping[str, Any] | None = None,
    ) -> None:
        kubernetes.helm.v3.Release(
            f"{self._name}-{release_name}",
            # Fixed: charts name what they make after their release.
            name=release_name,
            namespace=namespace,
            chart=source.chart,
            version=source.version,
            repository_opts={"repo": source.repository} if source.repository else None,
            values=values,
            timeout=TIMEOUT_SECONDS,
            # Two releases of one name cannot stand side by side.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
