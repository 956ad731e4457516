"""The settings a stack may give, as pydantic models: camelCase in the file, snake_case here.

A model checks each value by itself; what needs two values or the planner's data is in `config.cross_field.stack`, so
that one wrong value hides no other fault. Descriptions are shown when a required key is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from config.settings.base import Settings, Zone
from config.settings.images import ImagesSettings
from config.settings.model import ModelSettings
from config.values import rules
from vllm_eks.aws import names as aws_names
from vllm_eks.pins.eks import (
    ADDON_VERSIONS,
    DEFAULT_KUBERNETES_VERSION,
    NODE_RELEASE_VERSION,
    SUPPORTED_KUBERNETES_VERSIONS,
    SYSTEM_INSTANCE_TYPE,
)

AddonVersion = Annotated[str, AfterValidator(rules.addon_version)]


class ExistingNetworkSettings(Settings):
    """A VPC that is there already, and the private subnets to use in it: by id, or by their tags."""

    vpc_id: Annotated[str, AfterValidator(aws_names.vpc_id)] = Field(
        description="the VPC's id, such as vpc-0123456789abcdef0"
    )
    subnets: dict[Zone, Annotated[str, AfterValidator(aws_names.subnet_id)]] = Field(default={})
    subnet_tags: Annotated[dict[str, str], AfterValidator(rules.filter_tags)] = Field(default={})


class NetworkSettings(Settings):
    """The VPC: a new one, or an existing one."""

    # strict=False on tuples only: a list of the file becomes a tuple; its items stay strict.
    given_zones: Annotated[tuple[Zone, ...], AfterValidator(rules.zones)] = Field(
        default=(), strict=False, alias="zones"
    )
    cidr: Annotated[str, AfterValidator(rules.network_cidr)] = "10.0.0.0/16"
    nat_gateways: Literal["single", "perZone"] = "single"
    existing: ExistingNetworkSettings | None = None

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones: those given, else those of the existing subnets; sorted, so that the order in the file is free."""
        return tuple(sorted(self.given_zones or (self.existing.subnets if self.existing else ())))

    @property
    def facts(self) -> dict[str, Any]:
        """Zones, and VPC and subnets where they exist already, as the checks take them."""
        found = self.existing
        existing = {"vpc_id": found.vpc_id, "subnets": found.subnets, "subnet_tags": found.subnet_tags} if found else {}
        nat_gateways = len(self.zones) if self.nat_gateways == "perZone" else 1
        return {"zones": self.zones, "nat_gateways": nat_gateways, **existing}

    @property
    def system_zones(self) -> tuple[str, ...]:
        """The two zones of the system nodes: the first of the alphabet."""
        return self.zones[:2]


class ExistingClusterSettings(Settings):
    """A cluster that is there already: its name alone, or with the security groups of its nodes."""

    name: Annotated[str, AfterValidator(aws_names.cluster_name)] = Field(description="the name of the EKS cluster")
    security_group_ids: Annotated[
        tuple[Annotated[str, AfterValidator(aws_names.security_group_id)], ...], AfterValidator(rules.distinct)
    ] = Field(default=(), strict=False)

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"name": aws_names.cluster_name(value)} if isinstance(value, str) else value


class IamSettings(Settings):
    """What every role of the stack gets."""

    permissions_boundary: Annotated[str, AfterValidator(aws_names.permissions_boundary)] | None = None
    role_path: Annotated[str, AfterValidator(aws_names.role_path)] | None = None


class ClusterSettings(Settings):
    """The control plane and what its nodes run."""

    existing: ExistingClusterSettings | None = None
    # Required of a new cluster, which only a cross check can say.
    public_access_cidrs: Annotated[
        tuple[Annotated[str, AfterValidator(rules.public_access_cidr)], ...],
        AfterValidator(rules.public_access_cidrs),
    ] = Field(default=(), strict=False)
    kubernetes_version: Annotated[str, AfterValidator(rules.kubernetes_version)] = DEFAULT_KUBERNETES_VERSION
    addon_overrides: dict[str, AddonVersion] = Field(default={}, alias="addonVersions")
    node_release_override: Annotated[str, AfterValidator(rules.node_release_version)] | None = Field(
        default=None, alias="nodeReleaseVersion"
    )
    admins: Annotated[
        tuple[Annotated[str, AfterValidator(aws_names.principal_arn)], ...], AfterValidator(rules.distinct)
    ] = Field(default=(), strict=False)
    system_instance_type: Annotated[str, AfterValidator(aws_names.system_instance_type)] = SYSTEM_INSTANCE_TYPE
    kubeconfig_path: Annotated[str, AfterValidator(rules.kubeconfig_path)] | None = None
    deletion_protection: bool = False
    keep_logs: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """What the checks ask about."""
        return {
            "kubernetes_version": self.kubernetes_version,
            "known_versions": SUPPORTED_KUBERNETES_VERSIONS,
            "node_release_version": self.node_release_version,
            "system_instance_type": self.system_instance_type,
            "existing_cluster": self.existing.name if self.existing else None,
            "security_group_ids": self.node_security_group_ids,
            "admins": self.admins,
            "public_access_cidrs": self.public_access_cidrs,
        }

    @property
    def node_security_group_ids(self) -> tuple[str, ...]:
        """Further security groups of GPU nodes in an existing cluster."""
        return self.existing.security_group_ids if self.existing else ()

    @property
    def addon_versions(self) -> dict[str, str]:
        """Every add-on's version: the stack's own where it gives one, else the pin."""
        return {**ADDON_VERSIONS, **self.addon_overrides}

    @property
    def node_release_version(self) -> str:
        """The AMI release of all nodes."""
        return self.node_release_override or NODE_RELEASE_VERSION


class ChartOverride(Settings):
    """Where one third-party chart comes from, when not from its publisher, and whether it is installed at all."""

    install: bool = True
    repository: Annotated[str, AfterValidator(rules.chart_repository)] | None = None
    version: Annotated[str, Field(min_length=1)] | None = None
    path: Annotated[str, AfterValidator(rules.chart_folder)] | None = None

    def over(self, *, chart: str, repository: str | None, version: str | None) -> dict[str, str | None] | None:
        """Return the chart source to use in place of the publisher's, under the same three names; None: no chart.

        A chart of an OCI registry is named by its whole address (`oci://host/folder/name`), without a
        repository; elsewhere by its name, beside a repository. A local folder has neither.
        """
        if not self.install:
            return None
        if self.path:
            return {"chart": self.path, "repository": None, "version": None}
        name, wanted = chart.rpartition("/")[2], self.version or version
        if self.repository is None:
            return {"chart": chart, "repository": repository, "version": wanted}
        if self.repository.startswith("oci://"):
            return {"chart": f"{self.repository}/{name}", "repository": None, "version": wanted}
        return {"chart": name, "repository": self.repository, "version": wanted}


class ChartsSettings(Settings):
    """The third-party charts; many companies mirror them."""

    nvidia_device_plugin: ChartOverride = ChartOverride()
    efa_device_plugin: ChartOverride = ChartOverride()
    leader_worker_set: ChartOverride = ChartOverride()

    @property
    def overrides(self) -> dict[str, Callable[..., dict[str, str | None] | None]]:
        """What each chart's source becomes, by the chart's name."""
        return {name: getattr(self, name).over for name in ChartsSettings.model_fields}


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Everything under the project's name in `Pulumi.<stack>.yaml`, but for the secrets."""

    network: NetworkSettings
    cluster: ClusterSettings
    models: Mapping[str, ModelSettings]
    tags: Mapping[str, str]
    charts: ChartsSettings
    images: ImagesSettings
    iam: IamSettings

    @property
    def any_copied_weights(self) -> bool:
        """Whether any model's weights are copied, so that a bucket is needed."""
        return any(model.is_copied for model in self.models.values())

    @property
    def any_efa(self) -> bool:
        """Whether any model asks for EFA, so that its device plugin is needed."""
        return any(model.efa for model in self.models.values())
