"""The settings of a stack, as pydantic models: camelCase in the file, snake_case here.

A model checks each value on its own. Checks of several values, or of the planner's data, are in
`config.cross_field.stack`, so that one wrong value does not hide other errors. `config/schema.json` and the reference
pages are generated from the fields' descriptions, examples and constraints (`make generate`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.settings.charts import ChartsSettings
from config.settings.client import ClientSettings
from config.settings.cluster import ClusterSettings
from config.settings.endpoint import EndpointSettings
from config.settings.iam import IamSettings
from config.settings.images import ImagesSettings
from config.settings.model import ModelSettings
from config.settings.network import NetworkSettings
from config.settings.observability import ObservabilitySettings
from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.specs.controllers import ControllersSpec
from vllm_eks.specs.endpoint import EndpointSpec
from vllm_eks.specs.logs import LogsSpec
from vllm_eks.specs.monitoring import MonitoringSpec
from vllm_eks.specs.network import FoundVpc


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Everything under the project's name in `Pulumi.<stack>.yaml`, except the secrets."""

    network: NetworkSettings
    cluster: ClusterSettings
    models: Mapping[str, ModelSettings]
    tags: Mapping[str, str]
    charts: ChartsSettings
    images: ImagesSettings
    iam: IamSettings
    observability: ObservabilitySettings
    endpoint: EndpointSettings | None = None
    """None if the models answer inside the cluster only."""
    clients: Mapping[str, ClientSettings] = field(default_factory=dict[str, ClientSettings])
    """The limits of named clients. A client without an entry may use every model."""

    @property
    def endpoint_spec(self) -> EndpointSpec | None:
        """The load balancer in front of the models, or None."""
        if self.endpoint is None:
            return None
        return self.endpoint.spec(
            {name: model.hostname for name, model in self.models.items()},
            installs_controller=self.charts.aws_load_balancer_controller.install,
            probed=bool(self.observability.prometheus and self.endpoint.certificate_arn)
            and self.charts.blackbox_exporter.install,
            deletion_protection=self.cluster.deletion_protection,
        )

    def url(self, model: str) -> str | None:
        """Return the address of a model at the load balancer, or None if there is none."""
        endpoint = self.endpoint_spec
        return endpoint.url(model) if endpoint else None

    @property
    def levels(self) -> dict[str, ServiceLevel]:
        """The limits of latencies of each model, from its traffic."""
        return {name: model.level for name, model in self.models.items()}

    @property
    def any_copied_weights(self) -> bool:
        """Whether the stack copies any model's weights, so that it needs a bucket."""
        return any(model.is_copied for model in self.models.values())

    def probed_endpoint(self, vpc: FoundVpc | None) -> EndpointSpec | None:
        """Return the load balancer if metrics need to connect and may, or None.

        Args:
            vpc: The existing VPC, or None for a new one.
        """
        endpoint = self.endpoint_spec
        return endpoint if endpoint and endpoint.probed and endpoint.lets_pods_in(self.network.spec, vpc) else None

    @property
    def logs_spec(self) -> LogsSpec | None:
        """The logs in CloudWatch, or None if logs end with their pods."""
        if not self.observability.logs:
            return None
        days = self.observability.log_retention_days
        return LogsSpec(retention_days=days, models=list(self.models), keep=self.cluster.keep_logs)

    def monitoring_spec(self, vpc: FoundVpc | None) -> MonitoringSpec:
        """Return what collects metrics, from which charts, and what its alerts watch.

        Args:
            vpc: The existing VPC, or None for a new one.
        """
        return MonitoringSpec(
            prometheus=self.observability.spec.prometheus,
            alerts=self.observability.alerts.spec,
            charts=self.charts.monitoring_sources,
            images=self.images.monitoring_images,
            endpoint=self.probed_endpoint(vpc),
        )

    @property
    def controllers_spec(self) -> ControllersSpec:
        """The sources of the controllers, with EFA's device plugin if any model uses it."""
        return ControllersSpec(
            charts=self.charts.sources,
            images=self.images.controller_images,
            efa=any(model.efa for model in self.models.values()),
        )
