"""Checks that the keys of the observability section go together."""

from collections.abc import Iterator

from config.errors import ConfigError
from config.settings.charts import ChartsSettings
from config.settings.cluster import ClusterSettings
from config.settings.observability import ObservabilitySettings
from config.settings.stack import StackSettings
from vllm_eks.aws.regions import ASKED_BOTOCORE, WITHOUT_MANAGED_PROMETHEUS
from vllm_eks.monitoring.latency_alerts import BOUNDS, alert_seconds
from vllm_eks.planner.load.service_level import duration
from vllm_eks.specs.endpoint import NO_PROBE
from vllm_eks.stack_files.wording import key_path

KEYS_OF = {
    "retention_days": "install",
    "storage_gib": "install",
    "storage_class": "install",
    "alertmanager_config_secret": "install",
    "prometheus_namespace": "existing",
    "prometheus_labels": "existing",
    "workspace_arn": "amazonManaged",
    "alert_topic_arn": "amazonManaged",
}
"""Each key that only one kind of Prometheus has."""


def observability_errors(
    given: ObservabilitySettings,
    cluster: ClusterSettings | None,
    charts: ChartsSettings | None,
    region: str | None,
    key: str,
) -> Iterator[ConfigError]:
    """Yield the errors of the observability section that involve more than one value."""
    yield from _keys_of_another_kind(given, key)
    if "log_retention_days" in given.model_fields_set and "logs" not in given.model_fields_set:
        yield ConfigError(
            key=key_path(key, "logRetentionDays"),
            text="is only for logs: cloudWatch, and logs is not set: remove it, or set logs: cloudWatch",
        )
    if given.prometheus == "install":
        yield from _volume_errors(given, cluster, key)
    if given.prometheus == "existing" and "prometheus_namespace" not in given.model_fields_set:
        yield ConfigError(
            key=key_path(key, "prometheusNamespace"),
            text="is missing: set the namespace of the existing Prometheus, such as monitoring, because the models "
            "accept only its requests for metrics",
        )
    if given.prometheus in ("install", "amazonManaged"):
        yield from _chart_errors(given, charts, key)
    if given.prometheus == "amazonManaged":
        yield from _workspace_errors(given, region, key)


def _keys_of_another_kind(given: ObservabilitySettings, key: str) -> Iterator[ConfigError]:
    if "prometheus" in given.model_fields_set and given.prometheus is None:
        return  # it has its own error
    for name, kind in KEYS_OF.items():
        if name in given.model_fields_set and given.prometheus != kind:
            now = f"prometheus is {given.prometheus}" if given.prometheus else "prometheus is not set"
            alias = ObservabilitySettings.model_fields[name].alias
            yield ConfigError(
                key=key_path(key, str(alias)),
                text=f"is only for prometheus: {kind}, and {now}: remove it, or set prometheus: {kind}",
            )
    if "alerts" in given.model_fields_set and given.prometheus is None:
        yield ConfigError(
            key=key_path(key, "alerts"),
            text="needs metrics, and prometheus is not set: remove it, or set prometheus: install",
        )


def _volume_errors(given: ObservabilitySettings, cluster: ClusterSettings | None, key: str) -> Iterator[ConfigError]:
    if cluster is None:
        return
    place = key_path(key, "storageClass")
    is_existing = "existing" in cluster.model_fields_set
    if is_existing and "storage_class" not in given.model_fields_set:
        yield ConfigError(
            key=place,
            text="is missing: the stack does not install a volume driver in an existing cluster, so set a StorageClass "
            "that the cluster has (kubectl get storageclass lists them)",
        )
    if not is_existing and given.storage_class:
        yield ConfigError(
            key=place,
            text="is only for an existing cluster: remove it, because the stack creates the volume in a new cluster",
        )


def _chart_errors(given: ObservabilitySettings, charts: ChartsSettings | None, key: str) -> Iterator[ConfigError]:
    override = charts.kube_prometheus_stack if charts else None
    if override and not override.install:
        yield ConfigError(
            key=key_path(key.rpartition(":")[0] + ":charts", "kubePrometheusStack", "install"),
            text=f"false conflicts with observability.prometheus: {given.prometheus}, which installs the chart: set "
            "observability.prometheus: existing, or remove install",
        )


def _workspace_errors(given: ObservabilitySettings, region: str | None, key: str) -> Iterator[ConfigError]:
    if region in WITHOUT_MANAGED_PROMETHEUS:
        yield ConfigError(
            key=key_path(key, "prometheus"),
            text=f"amazonManaged does not exist in aws:region {region} (according to botocore {ASKED_BOTOCORE}): set "
            "prometheus: install",
        )
    if given.workspace_arn and given.alert_topic_arn:
        yield ConfigError(
            key=key_path(key, "alertTopicArn"),
            text="conflicts with workspaceArn: an existing workspace keeps its own alert manager, so remove it",
        )


def probe_warnings(settings: StackSettings, project: str) -> Iterator[ConfigError]:
    """Yield a warning if metrics could show the endpoint's certificate, but no pod of the cluster may connect."""
    endpoint = settings.endpoint_spec
    # The account has the addresses of an existing network, so a check asks it.
    if endpoint and endpoint.probed and not settings.network.existing and not settings.probed_endpoint(None):
        yield ConfigError(
            key=key_path(f"{project}:endpoint", "sourceRanges"),
            text=f"{NO_PROBE}: add {settings.network.cidr}, the range of the VPC",
        )


def latency_warnings(settings: StackSettings, project: str) -> Iterator[ConfigError]:
    """Yield a warning for each limit of a model's traffic that no alert can watch."""
    alerts = settings.observability.alerts.spec.level.limits
    if not settings.observability.prometheus:
        return
    for name, level in settings.levels.items():
        for latency, limit in level.limits.items():
            if latency not in alerts and alert_seconds(latency, limit) is None:
                yield ConfigError(
                    key=key_path(f"{project}:models", name, "traffic", latency),
                    text=f"{limit.label} is above {duration(BOUNDS[latency][-1])}, the largest time that an alert "
                    "can tell from vLLM's histogram",
                )
