"""The values of kube-prometheus-stack: a whole Prometheus, or only an agent.

Sizes are for the two system nodes, m7i.large by default, which also run CoreDNS, two LeaderWorkerSet controllers and
the EBS CSI driver. A limit of memory protects the other pods of the node. A limit of CPU would only make a pod slow.
"""

from collections.abc import Mapping
from typing import Any

from components.observability.names import (
    CLAIM_TEMPLATE,
    GRAFANA_SECRET,
    NODE_LABEL,
    PROMETHEUS_SERVICE_ACCOUNT,
)
from vllm_eks.specs.observability import MONITORING_NAMESPACE, InstalledPrometheus

RETENTION_SHARE = 0.85
"""Prometheus's storage page advises to limit the size to 80 to 85 % of the disk, for the write-ahead log and
compaction."""
MIB_PER_GIB = 1024
SCRAPE_INTERVAL = "30s"
POD_LABELS = ("name", "group-index", "worker-index")
"""Labels of LeaderWorkerSet that `kube_pod_labels` has."""
STATE_COLLECTORS = (
    *("daemonsets", "deployments", "jobs", "namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes"),
    *("poddisruptionbudgets", "pods", "replicasets", "statefulsets"),
)
"""kube-state-metrics may list only these. Its default includes Secrets."""


def installed_values(
    spec: InstalledPrometheus, *, cluster_name: str, storage_class: str, registry: str | None
) -> dict[str, Any]:
    """Return the values of a Prometheus with Alertmanager and Grafana.

    Args:
        spec: Retention, storage and the user's Secret.
        cluster_name: A label of everything that leaves this Prometheus, such as an alert.
        storage_class: The class of the claim.
        registry: A mirror of the images' registries, or None.
    """
    size_mb = int(spec.storage_gib * RETENTION_SHARE * MIB_PER_GIB)
    claim = {
        "metadata": {"name": CLAIM_TEMPLATE},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": f"{spec.storage_gib}Gi"}},
        },
    }
    # The claim of an existing cluster's class would outlive the release, and its volume would cost money.
    retention = {"whenDeleted": "Delete", "whenScaled": "Retain"} if spec.storage_class else {}
    prometheus = {
        **_scraping(cluster_name),
        "resources": _resources("250m", "1536Mi", "3Gi"),
        "retention": f"{spec.retention_days}d",
        # Prometheus's MB are MiB.
        "retentionSize": f"{size_mb}MB",
        "storageSpec": {"volumeClaimTemplate": claim},
        "persistentVolumeClaimRetentionPolicy": retention,
    }
    return {
        **_common(registry),
        "prometheus": {"serviceAccount": {"name": PROMETHEUS_SERVICE_ACCOUNT}, "prometheusSpec": prometheus},
        "alertmanager": {"alertmanagerSpec": _alertmanager(spec.alertmanager_config_secret)},
        "grafana": _grafana(),
    }


def agent_values(*, cluster_name: str, region: str, remote_write_url: object, registry: str | None) -> dict[str, Any]:
    """Return the values of an agent that sends everything to a workspace, and evaluates no rules.

    Args:
        cluster_name: A label of all series.
        region: The workspace's region, for the signature of requests.
        remote_write_url: Where the workspace takes series, as an Input.
        registry: A mirror of the images' registries, or None.
    """
    agent = {
        **_scraping(cluster_name),
        "resources": _resources("250m", "1Gi", "2Gi"),
        # Credentials come from EKS Pod Identity.
        "remoteWrite": [{"url": remote_write_url, "sigv4": {"region": region}}],
    }
    return {
        **_common(registry),
        "prometheus": {
            "agentMode": True,
            "serviceAccount": {"name": PROMETHEUS_SERVICE_ACCOUNT},
            "prometheusSpec": agent,
        },
        "alertmanager": {"enabled": False},
        "grafana": {"enabled": False},
    }


def _common(registry: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "cleanPrometheusOperatorObjectNames": True,
        # The stack has its own rules, under test with the metrics that are scraped here.
        "defaultRules": {"create": False},
        # EKS does not offer etcd, the scheduler and the controller manager, and kube-proxy answers only on its node.
        # No rule uses the API server's and CoreDNS's metrics, which would be most of all series.
        **{part: {"enabled": False} for part in ("kubeEtcd", "kubeScheduler", "kubeControllerManager", "kubeProxy")},
        **{part: {"enabled": False} for part in ("kubeApiServer", "coreDns")},
        "kubelet": {"serviceMonitor": {"probes": False, "cAdvisorInterval": SCRAPE_INTERVAL}},
        "prometheusOperator": {
            # Rules come from this project and are checked before. Without the webhook there are no certificates and
            # no Jobs.
            "admissionWebhooks": {"enabled": False},
            "tls": {"enabled": False},
            "resources": _resources("50m", "128Mi", "256Mi"),
            "prometheusConfigReloader": {"resources": _resources("10m", "32Mi", "64Mi")},
        },
        "kube-state-metrics": {
            "collectors": list(STATE_COLLECTORS),
            "metricLabelsAllowlist": [
                f"pods=[{','.join(f'leaderworkerset.sigs.k8s.io/{label}' for label in POD_LABELS)}]",
                "nodes=[vllm-eks/model]",
            ],
            "resources": _resources("25m", "96Mi", "256Mi"),
        },
        # Its default tolerations are for all taints with the effect NoSchedule, so it runs on GPU nodes too.
        "prometheus-node-exporter": {
            "resources": _resources("25m", "32Mi", "128Mi"),
            "prometheus": {"monitor": {"relabelings": [NODE_LABEL]}},
        },
    }
    return {**values, "global": {"imageRegistry": registry}} if registry else values


def _scraping(cluster_name: str) -> dict[str, Any]:
    kinds = ("rule", "serviceMonitor", "podMonitor", "probe", "scrapeConfig")
    return {
        "scrapeInterval": SCRAPE_INTERVAL,
        "externalLabels": {"cluster": cluster_name},
        # All monitors and rules of the cluster, so that another stack in it can use this Prometheus.
        **{f"{kind}SelectorNilUsesHelmValues": False for kind in kinds},
    }


def _alertmanager(config_secret: str | None) -> dict[str, Any]:
    resources = {"resources": _resources("10m", "64Mi", "128Mi")}
    # While the Secret does not exist, the operator uses a configuration that notifies no receiver.
    return {**resources, "useExistingSecret": True, "configSecret": config_secret} if config_secret else resources


def _grafana() -> dict[str, Any]:
    return {
        "admin": {"existingSecret": GRAFANA_SECRET, "userKey": "admin-user", "passwordKey": "admin-password"},
        "defaultDashboardsEnabled": False,
        "serviceMonitor": {"enabled": False},
        "testFramework": {"enabled": False},
        # The sidecar's default lists the ConfigMaps and Secrets of the whole cluster.
        "rbac": {"namespaced": True},
        "sidecar": {
            "resources": _resources("10m", "96Mi", "192Mi"),
            "dashboards": {"searchNamespace": MONITORING_NAMESPACE, "resource": "configmap"},
            "datasources": {"searchNamespace": MONITORING_NAMESPACE, "resource": "configmap"},
        },
        "grafana.ini": {"analytics": {"check_for_updates": False, "reporting_enabled": False}},
        "resources": _resources("100m", "256Mi", "512Mi"),
    }


def _resources(cpu: str, memory: str, memory_limit: str) -> Mapping[str, Mapping[str, str]]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit}}
