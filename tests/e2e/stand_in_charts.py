"""Charts with the names and versions of the publishers', which the lab cannot download.

Each is one workload. CRDs are in the folder `crds`, as in the published charts of the AWS Load Balancer Controller and
of kube-prometheus-stack: Helm installs them before the workload and never deletes them. They accept every field, so a
test shows the order of objects and not that their fields are valid. No controller acts on them. For the finalizers of
bindings, tests/e2e/binding_controller.py does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from components.observability.names import CLAIM_TEMPLATE, RELEASE
from vllm_eks.pins.charts import (
    AWS_LOAD_BALANCER_CONTROLLER,
    BLACKBOX_EXPORTER,
    DCGM_EXPORTER,
    FLUENT_BIT,
    KUBE_PROMETHEUS_STACK,
    ChartSource,
)

OPERATOR_GROUP = "monitoring.coreos.com"
CRDS = (
    "targetgroupbindings.elbv2.k8s.aws",
    *(f"{plural}.{OPERATOR_GROUP}" for plural in ("podmonitors", "probes", "prometheusrules", "servicemonitors")),
)
"""What stays after a destroy: Helm never deletes CRDs. On EKS they go with the cluster."""

DAEMON_SET = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      tolerations: {{ toJson .Values.tolerations }}
      containers: [{name: main, image: main}]
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers: [{name: main, image: main}]
"""
PROMETHEUS = f"""\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: prometheus-{RELEASE}, namespace: {{{{ .Release.Namespace }}}}}}
spec:
  serviceName: prometheus-operated
  selector: {{matchLabels: {{app: prometheus}}}}
  template:
    metadata: {{labels: {{app: prometheus}}}}
    spec:
      containers:
        - {{name: main, image: main}}
{{{{- if .Values.prometheus.prometheusSpec.storageSpec }}}}
  volumeClaimTemplates:
    - metadata: {{name: {CLAIM_TEMPLATE}}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
{{{{- end }}}}
"""
"""The StatefulSet that the operator makes, with the claim that exists, if it is no agent. Here it is part of the
release."""


def stand_in_charts(folder: Path) -> dict[str, dict[str, str]]:
    """Write the charts of a load balancer, of metrics and of logs, and return the section `charts`."""
    operator = [crd(OPERATOR_GROUP, "v1", kind) for kind in ("PodMonitor", "Probe", "PrometheusRule", "ServiceMonitor")]
    binding = crd("elbv2.k8s.aws", "v1beta1", "TargetGroupBinding")
    return {
        "awsLoadBalancerController": write_chart(folder, AWS_LOAD_BALANCER_CONTROLLER, DEPLOYMENT, [binding]),
        "kubePrometheusStack": write_chart(folder, KUBE_PROMETHEUS_STACK, PROMETHEUS, operator),
        "dcgmExporter": write_chart(folder, DCGM_EXPORTER, DAEMON_SET),
        "blackboxExporter": write_chart(folder, BLACKBOX_EXPORTER, DEPLOYMENT),
        "fluentBit": write_chart(folder, FLUENT_BIT, DAEMON_SET),
    }


def write_chart(
    folder: Path, source: ChartSource, template: str, crds: Sequence[Mapping[str, object]] = ()
) -> dict[str, str]:
    """Write one chart, and return what the section `charts` says of it."""
    place = folder / source.chart
    (place / "templates").mkdir(parents=True)
    about = {"apiVersion": "v2", "name": source.chart, "version": source.version}
    (place / "Chart.yaml").write_text(yaml.safe_dump(about))
    (place / "templates" / "workload.yaml").write_text(template)
    if crds:
        (place / "crds").mkdir()
        (place / "crds" / "crds.yaml").write_text(yaml.safe_dump_all(crds))
    return {"path": str(place)}


def crd(group: str, version: str, kind: str) -> dict[str, object]:
    """Return a CRD that accepts every field."""
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "scope": "Namespaced",
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
