"""The metrics of a stack: Prometheus or an agent, the exporters, and the objects of an existing Prometheus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes

from components.generated_secret import generated_secret
from components.helm_releases import third_party_release
from components.observability.exporter_values import blackbox_values, dcgm_values
from components.observability.names import (
    BLACKBOX_RELEASE,
    DCGM_RELEASE,
    GRAFANA_SECRET,
    GRAFANA_USER,
    RELEASE,
)
from components.observability.policies import monitoring_policy
from components.observability.prometheus_values import agent_values, installed_values
from components.observability.rules import Rules, dashboard_objects, rule_namespace, rule_object
from components.observability.volume import STORAGE_CLASS, PrometheusVolume, PrometheusVolumeArgs
from components.observability.workspace import Workspace, WorkspaceArgs
from vllm_eks.aws.partitions import aws_partition
from vllm_eks.pins.charts import ChartSource
from vllm_eks.pins.eks import EBS_CSI_DRIVER
from vllm_eks.specs.cluster import ClusterSpec
from vllm_eks.specs.monitoring import MonitoringSpec
from vllm_eks.specs.observability import (
    MONITORING_NAMESPACE,
    OWN_POLICY,
    ExistingPrometheus,
    InstalledPrometheus,
    ManagedPrometheus,
    PrometheusSpec,
)
from vllm_eks.specs.stack import StackSpec


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """The arguments of Monitoring."""

    stack: StackSpec
    """Its name is the label `cluster` of everything that leaves Prometheus."""
    monitoring: MonitoringSpec
    cluster_name: pulumi.Input[str]
    cluster: ClusterSpec
    """A new one has the EKS node monitoring agent, with its DCGM host engine."""
    system_zones: Sequence[str]
    """Of the system nodes."""
    rules: Rules = field(default_factory=Rules)


class Monitoring(pulumi.ComponentResource):
    """What collects metrics. Monitors need it before them, because the operator's CRDs come with its release."""

    prometheus_namespace: str
    """Of the pods that scrape."""
    monitor_labels: Mapping[str, str]
    """The labels of monitors that Prometheus selects."""
    namespace: pulumi.Output[str]
    """Of monitors and exporters, known after it exists."""
    has_dcgm_exporter: bool
    probed_hostnames: Mapping[str, str]
    """Model -> its name at the front door, if its certificate is checked."""
    before_nodes: Sequence[pulumi.Resource]
    """The rules of an existing Prometheus. Without the operator's CRDs they fail, before GPU nodes cost money."""
    outputs: dict[str, pulumi.Output[str]]
    """How to look at the metrics, with the names of stack outputs."""

    def __init__(
        self, name: str, spec: PrometheusSpec, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("vllm-eks:index:Monitoring", name, {}, opts)
        self._name, self._args = name, args
        self.prometheus_namespace, self.monitor_labels = MONITORING_NAMESPACE, {}
        if isinstance(spec, ExistingPrometheus):
            self.prometheus_namespace, self.monitor_labels = spec.namespace, spec.labels
        self.namespace, self.before_nodes = self._namespace(), []
        self.outputs = self._prometheus(spec)
        self.has_dcgm_exporter = args.monitoring.charts.dcgm_exporter is not None
        probed = args.monitoring.endpoint if args.monitoring.charts.blackbox_exporter else None
        self.probed_hostnames = probed.hostnames if probed and probed.certificate_arn else {}
        self._exporters()
        self.register_outputs({})

    def _namespace(self) -> pulumi.Output[str]:
        name, child = self._name, pulumi.ResourceOptions(parent=self)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-monitoring-namespace",
            # node-exporter uses the node's network, and both exporters mount its folders.
            metadata={"name": MONITORING_NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
            opts=child,
        )
        made = namespace.metadata["name"]
        kubernetes.networking.v1.NetworkPolicy(
            f"{name}-monitoring-policy",
            metadata={"name": OWN_POLICY, "namespace": made},
            spec=monitoring_policy(self.prometheus_namespace),
            opts=child,
        )
        return made

    def _prometheus(self, spec: PrometheusSpec) -> dict[str, pulumi.Output[str]]:
        if isinstance(spec, InstalledPrometheus):
            return self._installed(spec)
        if isinstance(spec, ManagedPrometheus):
            return self._managed(spec)
        child = pulumi.ResourceOptions(parent=self)
        rules = rule_object(self._name, self._args.rules, namespace=self.namespace, labels=spec.labels, opts=child)
        self.before_nodes = [rules] if rules else []
        dashboard_objects(self._name, self._args.rules, namespace=self.namespace, opts=child)
        return {}

    def _installed(self, spec: InstalledPrometheus) -> dict[str, pulumi.Output[str]]:
        name, args = self._name, self._args
        before: list[pulumi.Resource] = [self._grafana_password()]
        if spec.storage_class is None:
            volume = PrometheusVolumeArgs(
                cluster_name=args.cluster_name,
                namespace=self.namespace,
                gib=spec.storage_gib,
                zone=args.system_zones[0],
                driver_version=args.cluster.addon_versions[EBS_CSI_DRIVER],
                partition=aws_partition(args.stack.region),
                iam=args.stack.iam,
                tags=args.stack.tags,
            )
            opts = pulumi.ResourceOptions(parent=self)
            before.append(PrometheusVolume(f"{name}-prometheus", volume, opts).claim)
        values = installed_values(
            spec,
            cluster_name=args.stack.name,
            storage_class=spec.storage_class or STORAGE_CLASS,
            registry=args.monitoring.images.registry,
        )
        release = self._release(RELEASE, args.monitoring.charts.kube_prometheus_stack, values, before)
        # The operator's CRDs come with the release, and Grafana loads dashboards while it runs.
        after = pulumi.ResourceOptions(parent=self, depends_on=[release])
        rule_object(name, args.rules, namespace=self.namespace, labels={}, opts=after)
        dashboard_objects(name, args.rules, namespace=self.namespace, opts=after)
        forward = f"kubectl --namespace {MONITORING_NAMESPACE} port-forward service/{RELEASE}-"
        return {
            "grafana": pulumi.Output.from_input(f"{forward}grafana 3000:80"),
            "readGrafanaPassword": pulumi.Output.from_input(
                f"kubectl --namespace {MONITORING_NAMESPACE} get secret {GRAFANA_SECRET} "
                "--output go-template='{{index .data \"admin-password\" | base64decode}}'"
            ),
            "prometheus": pulumi.Output.from_input(f"{forward}prometheus 9090:9090"),
            "alertmanager": pulumi.Output.from_input(f"{forward}alertmanager 9093:9093"),
        }

    def _grafana_password(self) -> kubernetes.core.v1.Secret:
        password = generated_secret(f"{self._name}-grafana-password", self)
        return kubernetes.core.v1.Secret(
            f"{self._name}-grafana-admin",
            metadata={"name": GRAFANA_SECRET, "namespace": self.namespace},
            string_data={"admin-user": GRAFANA_USER, "admin-password": password},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _managed(self, spec: ManagedPrometheus) -> dict[str, pulumi.Output[str]]:
        name, args, child = self._name, self._args, pulumi.ResourceOptions(parent=self)
        workspace_args = WorkspaceArgs(
            spec=spec,
            cluster_name=args.cluster_name,
            namespace=self.namespace,
            region=args.stack.region,
            iam=args.stack.iam,
            tags=args.stack.tags,
        )
        workspace = Workspace(f"{name}-metrics", workspace_args, child)
        values = agent_values(
            cluster_name=args.stack.name,
            region=args.stack.region,
            remote_write_url=pulumi.Output.concat(workspace.endpoint, "api/v1/remote_write"),
            registry=args.monitoring.images.registry,
        )
        self._release(RELEASE, args.monitoring.charts.kube_prometheus_stack, values, [workspace.association])
        rule_namespace(name, args.rules, workspace_id=workspace.workspace_id, tags=args.stack.tags, opts=child)
        return {"workspaceId": workspace.workspace_id, "queryEndpoint": workspace.endpoint}

    def _exporters(self) -> None:
        args = self._args
        dcgm = dcgm_values(host_engine=args.cluster.existing is None, image=args.monitoring.images.dcgm_exporter)
        if args.monitoring.charts.dcgm_exporter:
            self._release(DCGM_RELEASE, args.monitoring.charts.dcgm_exporter, dcgm, [])
        if self.probed_hostnames:
            self._release(
                BLACKBOX_RELEASE,
                args.monitoring.charts.blackbox_exporter,
                blackbox_values(args.monitoring.images.registry),
                [],
            )

    def _release(
        self,
        release_name: str,
        source: ChartSource | None,
        values: Mapping[str, object],
        before: list[pulumi.Resource],
    ) -> kubernetes.helm.v3.Release:
        if source is None:
            raise ValueError(f"{release_name}: the chart has no source")
        return third_party_release(
            f"{self._name}-{release_name}",
            release_name=release_name,
            source=source,
            namespace=self.namespace,
            values=values,
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )


def stack_monitoring(name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions) -> Monitoring | None:
    """Return what collects the stack's metrics, or None if the stack file asks for none."""
    spec = args.monitoring.prometheus
    return Monitoring(name, spec, args, opts) if spec else None


def before_nodes(monitoring: Monitoring | None) -> Sequence[pulumi.Resource]:
    """Return what must be there before GPU nodes cost money."""
    return monitoring.before_nodes if monitoring else []
