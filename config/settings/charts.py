"""The sources of a stack's third-party charts."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.values import rules
from vllm_eks.pins.charts import (
    AWS_LOAD_BALANCER_CONTROLLER,
    BLACKBOX_EXPORTER,
    DCGM_EXPORTER,
    EFA_DEVICE_PLUGIN,
    FLUENT_BIT,
    KUBE_PROMETHEUS_STACK,
    LEADER_WORKER_SET,
    NVIDIA_DEVICE_PLUGIN,
    ChartSource,
    ControllerCharts,
    MonitoringCharts,
)


class ChartOverride(Settings):
    """The source of one third-party chart, if it is not the publisher, and whether it is installed."""

    install: bool = Field(
        default=True,
        description="Whether the stack installs the chart. Set `false` if an existing cluster already has it.",
        examples=[False],
    )
    repository: (
        Annotated[str, AfterValidator(rules.chart_repository), InSchema(pattern=f"{rules.CHART_REPOSITORY.pattern}.*")]
        | None
    ) = Field(
        default=None,
        description="The chart's repository: an https:// index, or the oci:// folder that contains the chart.",
        examples=["oci://registry.example.com/charts"],
        json_schema_extra=absent("the publisher's repository"),
    )
    version: Annotated[str, AfterValidator(rules.chart_version), InSchema(pattern=rules.CHART_VERSION)] | None = Field(
        default=None,
        description="The chart's exact version, in quotes. Ranges such as `^1.2` and `latest` are refused.",
        examples=["0.18.0"],
        json_schema_extra=absent("the pinned version"),
    )
    path: Annotated[str, AfterValidator(rules.chart_folder)] | None = Field(
        default=None,
        description="The folder of an unpacked chart, instead of `repository` and `version`.",
        examples=["../mirror/lws"],
        json_schema_extra=absent("the chart comes from a repository"),
    )

    def over(self, published: ChartSource) -> ChartSource | None:
        """Return the chart's source, based on the published one, or None if it is not installed.

        The name of a chart in an OCI registry is its whole address (`oci://host/folder/name`), without a repository.
        Other charts have a name and a repository, and a local folder has neither.
        """
        if not self.install:
            return None
        if self.path:
            return ChartSource(chart=self.path)
        name, version = published.chart.rpartition("/")[2], self.version or published.version
        if self.repository is None:
            return ChartSource(chart=published.chart, repository=published.repository, version=version)
        if self.repository.startswith("oci://"):
            return ChartSource(chart=f"{self.repository}/{name}", version=version)
        return ChartSource(chart=name, repository=self.repository, version=version)


PUBLISHERS_CHART = absent("the publisher's chart, at the pinned version")


class ChartsSettings(Settings):
    """The third-party charts, which many companies mirror."""

    nvidia_device_plugin: ChartOverride = Field(
        default=ChartOverride(),
        description="The chart of the NVIDIA device plugin.",
        examples=[{"install": False}],
        json_schema_extra=PUBLISHERS_CHART,
    )
    efa_device_plugin: ChartOverride = Field(
        default=ChartOverride(),
        description="The chart of the EFA device plugin, installed if a model sets `efa`.",
        examples=[{"repository": "oci://registry.example.com/charts"}],
        json_schema_extra=PUBLISHERS_CHART,
    )
    leader_worker_set: ChartOverride = Field(
        default=ChartOverride(),
        description="The chart of the LeaderWorkerSet controller.",
        examples=[{"repository": "https://charts.example.com", "version": "0.7.0"}],
        json_schema_extra=PUBLISHERS_CHART,
    )
    kube_prometheus_stack: ChartOverride = Field(
        default=ChartOverride(),
        description=(
            "The chart of Prometheus, its operator, Alertmanager and Grafana, installed if `observability.prometheus` "
            "is `install` or `amazonManaged`."
        ),
        examples=[{"repository": "oci://registry.example.com/charts"}],
        json_schema_extra=PUBLISHERS_CHART,
    )
    dcgm_exporter: ChartOverride = Field(
        default=ChartOverride(),
        description="The chart of the exporter of GPU metrics, installed if `observability.prometheus` is set.",
        examples=[{"install": False}],
        json_schema_extra=PUBLISHERS_CHART,
    )
    blackbox_exporter: ChartOverride = Field(
        default=ChartOverride(),
        description=(
            "The chart of the exporter that checks the endpoint's certificate, installed if `observability.prometheus` "
            "and `endpoint.certificateArn` are set."
        ),
        examples=[{"repository": "oci://registry.example.com/charts"}],
        json_schema_extra=PUBLISHERS_CHART,
    )
    aws_load_balancer_controller: ChartOverride = Field(
        default=ChartOverride(),
        description=(
            "The chart of the AWS Load Balancer Controller, installed if `endpoint` is set. Set `install: false` if "
            "an existing cluster already runs it."
        ),
        examples=[{"install": False}],
        json_schema_extra=PUBLISHERS_CHART,
    )

    fluent_bit: ChartOverride = Field(
        default=ChartOverride(),
        description=(
            "The chart of Fluent Bit, installed if `observability.logs` is set. Set `install: false` if another agent "
            "of the cluster writes to the stack's log group."
        ),
        examples=[{"repository": "oci://registry.example.com/charts"}],
        json_schema_extra=PUBLISHERS_CHART,
    )

    @property
    def sources(self) -> ControllerCharts:
        """The source of each chart: the stack's own, or else the publisher's."""
        return ControllerCharts(
            nvidia_device_plugin=self.nvidia_device_plugin.over(NVIDIA_DEVICE_PLUGIN),
            leader_worker_set=self.leader_worker_set.over(LEADER_WORKER_SET),
            efa_device_plugin=self.efa_device_plugin.over(EFA_DEVICE_PLUGIN),
            aws_load_balancer_controller=self.aws_load_balancer_controller.over(AWS_LOAD_BALANCER_CONTROLLER),
            fluent_bit=self.fluent_bit.over(FLUENT_BIT),
        )

    @property
    def monitoring_sources(self) -> MonitoringCharts:
        """The source of each chart for metrics."""
        return MonitoringCharts(
            kube_prometheus_stack=self.kube_prometheus_stack.over(KUBE_PROMETHEUS_STACK),
            dcgm_exporter=self.dcgm_exporter.over(DCGM_EXPORTER),
            blackbox_exporter=self.blackbox_exporter.over(BLACKBOX_EXPORTER),
        )
