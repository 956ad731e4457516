"""Monitors of the models, their nodes and their controllers, and the holes in the models' network policies."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes

from components.controllers.accelerators import LEADER_WORKER_SET_NAMESPACE
from components.observability.monitoring import Monitoring
from components.observability.monitors import (
    LEADER_WORKER_SET_METRICS_PORT,
    LEADER_WORKER_SET_PODS,
    Body,
    dcgm_monitor,
    front_door_probe,
    leader_worker_set_monitor,
    model_monitor,
)
from components.observability.policies import metrics_policy
from components.observability.rules import OPERATOR_API, labelled
from components.serving.model_server import ModelServer
from components.serving.namespaces import model_namespace
from vllm_eks.pins.charts import ControllerCharts


@dataclass(frozen=True, kw_only=True)
class ModelMonitorsArgs:
    """The arguments of ModelMonitors."""

    monitoring: Monitoring
    servers: Mapping[str, ModelServer]
    charts: ControllerCharts = field(default_factory=ControllerCharts)
    """Whether the stack installed the LeaderWorkerSet controller."""


class ModelMonitors(pulumi.ComponentResource):
    """Objects beside the models' releases, so that metrics never restart a model.

    The policies wait only for a model's namespace, so that metrics show its first start.
    """

    def __init__(self, name: str, args: ModelMonitorsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ModelMonitors", name, {}, opts)
        self._name, self._args = name, args
        for model, server in args.servers.items():
            self._model(model, server)
        if args.monitoring.has_dcgm_exporter:
            self._monitor("dcgm-exporter", "PodMonitor", dcgm_monitor())
        if args.charts.leader_worker_set:
            self._leader_worker_set()
        self.register_outputs({})

    def _model(self, model: str, server: ModelServer) -> None:
        kubernetes.networking.v1.NetworkPolicy(
            f"{self._name}-{model}-metrics",
            metadata={"name": f"{model}-metrics", "namespace": server.namespace},
            spec=metrics_policy(model, self._args.monitoring.prometheus_namespace),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._monitor(model_namespace(model), "PodMonitor", model_monitor(model, model_namespace(model)))
        hostname = self._args.monitoring.probed_hostnames.get(model)
        if hostname:
            self._monitor(model_namespace(model), "Probe", front_door_probe(model, model_namespace(model), hostname))

    def _leader_worker_set(self) -> None:
        # The chart's own Service and monitor would change the controllers' release, and need the operator before it.
        service = kubernetes.core.v1.Service(
            f"{self._name}-lws-metrics",
            metadata={
                "name": "vllm-eks-metrics",
                "namespace": LEADER_WORKER_SET_NAMESPACE,
                "labels": {"vllm-eks/metrics": "lws"},
            },
            spec={
                "selector": LEADER_WORKER_SET_PODS,
                "ports": [{"name": "metrics", "port": LEADER_WORKER_SET_METRICS_PORT}],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._monitor("lws-controller", "ServiceMonitor", leader_worker_set_monitor(), [service])

    def _monitor(self, name: str, kind: str, spec: Body, after: list[pulumi.Resource] | None = None) -> None:
        monitoring = self._args.monitoring
        kubernetes.apiextensions.CustomResource(
            f"{self._name}-{name}-{kind.lower()}",
            api_version=OPERATOR_API,
            kind=kind,
            metadata=labelled(name, monitoring.namespace, monitoring.monitor_labels),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after or []),
        )
