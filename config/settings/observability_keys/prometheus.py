"""The keys of Prometheus: whose it is, and its storage."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.values import monitoring_rules, rules
from vllm_eks.aws import names as aws_names
from vllm_eks.specs.observability import (
    DEFAULT_RETENTION_DAYS,
    DEFAULT_STORAGE_GIB,
    ExistingPrometheus,
    InstalledPrometheus,
    ManagedPrometheus,
    PrometheusSpec,
)

Prometheus = Literal["install", "existing", "amazonManaged"]


class PrometheusKeys(Settings):
    """Metrics: an own Prometheus, one that the cluster has, or Amazon Managed Service for Prometheus."""

    prometheus: Prometheus | None = Field(
        default=None,
        description=(
            "What collects metrics. `install`: the stack installs Prometheus, Alertmanager and Grafana on the system "
            "nodes. `existing`: a Prometheus operator of the cluster, and the stack adds its monitors, rules and "
            "dashboards. `amazonManaged`: an agent sends them to a workspace of Amazon Managed Service for Prometheus."
        ),
        examples=["install", "existing", "amazonManaged"],
        json_schema_extra=absent("no metrics"),
    )
    retention_days: Annotated[
        int,
        Field(ge=1),
        AfterValidator(monitoring_rules.retention_days),
        InSchema(maximum=monitoring_rules.MOST_RETENTION_DAYS),
    ] = Field(
        default=DEFAULT_RETENTION_DAYS,
        description="For `prometheus: install`: the days that metrics are kept, if `storageGib` holds so many.",
        examples=[30],
    )
    storage_gib: Annotated[
        int,
        AfterValidator(monitoring_rules.storage_gib),
        InSchema(minimum=monitoring_rules.LEAST_STORAGE_GIB, maximum=monitoring_rules.MOST_STORAGE_GIB),
    ] = Field(
        default=DEFAULT_STORAGE_GIB,
        description=(
            "For `prometheus: install`: the size of its encrypted gp3 volume in GiB. Prometheus deletes its oldest "
            "metrics before the volume is full. A volume can grow, but not shrink."
        ),
        examples=[100],
    )
    storage_class: Annotated[str, AfterValidator(monitoring_rules.object_name)] | None = Field(
        default=None,
        description=(
            "For `prometheus: install` in an existing cluster: the StorageClass of the volume. The cluster's own "
            "driver creates the volume."
        ),
        examples=["gp3"],
        json_schema_extra=absent("required for an existing cluster; in a new cluster Pulumi creates the volume"),
    )
    alertmanager_config_secret: Annotated[str, AfterValidator(monitoring_rules.object_name)] | None = Field(
        default=None,
        description=(
            "For `prometheus: install`: a Secret in the namespace `monitoring-system`, which you create, with "
            "Alertmanager's whole configuration in its key `alertmanager.yaml`."
        ),
        examples=["alertmanager-receivers"],
        json_schema_extra=absent("no notifications"),
    )
    prometheus_namespace: Annotated[str, AfterValidator(rules.namespace), InSchema(pattern=rules.NAMESPACE)] | None = (
        Field(
            default=None,
            description="For `prometheus: existing`: the namespace of its pods, which may then read metrics.",
            examples=["monitoring"],
            json_schema_extra=absent("required for `existing`"),
        )
    )
    prometheus_labels: Annotated[dict[str, str], AfterValidator(monitoring_rules.labels)] = Field(
        default={},
        description=(
            "For `prometheus: existing`: the labels of monitors and rules that the existing Prometheus selects."
        ),
        examples=[{"release": "kube-prometheus-stack"}],
        json_schema_extra=absent("no labels, for a Prometheus that selects all monitors and rules"),
    )
    workspace_arn: (
        Annotated[str, AfterValidator(aws_names.workspace_arn), InSchema(pattern=aws_names.WORKSPACE)] | None
    ) = Field(
        default=None,
        description="For `prometheus: amazonManaged`: the ARN of an existing workspace in the stack's region.",
        examples=["arn:aws:aps:us-west-2:123456789012:workspace/ws-0123abcd-4567-89ab-cdef-0123456789ab"],
        json_schema_extra=absent("the stack creates a workspace"),
    )
    alert_topic_arn: Annotated[str, AfterValidator(aws_names.topic_arn), InSchema(pattern=aws_names.TOPIC)] | None = (
        Field(
            default=None,
            description=(
                "For `prometheus: amazonManaged` with a workspace of the stack: the ARN of an SNS topic that alerts "
                "are sent to."
            ),
            examples=["arn:aws:sns:us-west-2:123456789012:alerts"],
            json_schema_extra=absent("no notifications"),
        )
    )

    @property
    def prometheus_spec(self) -> PrometheusSpec | None:
        """What collects metrics, or None for no metrics."""
        if self.prometheus == "install":
            return InstalledPrometheus(
                retention_days=self.retention_days,
                storage_gib=self.storage_gib,
                storage_class=self.storage_class,
                alertmanager_config_secret=self.alertmanager_config_secret,
            )
        if self.prometheus == "existing" and self.prometheus_namespace:
            return ExistingPrometheus(namespace=self.prometheus_namespace, labels=self.prometheus_labels)
        if self.prometheus == "amazonManaged":
            return ManagedPrometheus(workspace_arn=self.workspace_arn, alert_topic_arn=self.alert_topic_arn)
        return None
