"""The cluster section of a stack file."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from config.settings.base import InSchema, Settings, absent
from config.settings.existing import ExistingClusterSettings
from config.values import network_rules, rules
from vllm_eks.aws import names as aws_names
from vllm_eks.pins.eks import (
    ADDON_VERSIONS,
    DEFAULT_KUBERNETES_VERSION,
    NODE_RELEASE_VERSION,
    SUPPORTED_KUBERNETES_VERSIONS,
    SYSTEM_INSTANCE_TYPE,
)
from vllm_eks.specs.cluster import ClusterSpec

AddonVersion = Annotated[str, AfterValidator(rules.addon_version), InSchema(pattern=rules.ADDON_VERSION)]
PublicCidr = Annotated[str, AfterValidator(network_rules.public_access_cidr), InSchema(pattern=network_rules.IPV4_CIDR)]
Principal = Annotated[str, AfterValidator(aws_names.principal_arn), InSchema(pattern=aws_names.PRINCIPAL)]


class ClusterSettings(Settings):
    """The control plane, and the versions that its nodes run."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["publicAccessCidrs"]}, {"required": ["existing"]}]}
    )

    existing: ExistingClusterSettings | None = Field(
        default=None,
        description=(
            "An existing cluster to use instead of a new one: its name, or `name` and `securityGroupIds`. It needs "
            "`network.existing`."
        ),
        examples=["platform", {"name": "platform", "securityGroupIds": ["sg-0123456789abcdef0"]}],
        json_schema_extra={
            **absent("the stack creates a cluster"),
            "type": ["object", "string"],
            "pattern": f"^{aws_names.CLUSTER_NAME.pattern}$",
        },
    )
    # Required for a new cluster, which only a cross-field check can express.
    public_access_cidrs: Annotated[
        tuple[PublicCidr, ...],
        AfterValidator(network_rules.public_access_cidrs),
        InSchema(maxItems=network_rules.MAX_PUBLIC_CIDRS, uniqueItems=True),
    ] = Field(
        default=(),
        strict=False,
        description=(
            "The public IPv4 ranges that may reach the Kubernetes API server. `[]` leaves only the private endpoint: "
            "then run `pulumi up` inside the network, or set `kubeconfigPath`."
        ),
        examples=[["203.0.113.7/32"], []],
        json_schema_extra=absent("required for a new cluster"),
    )
    kubernetes_version: Annotated[
        str, AfterValidator(rules.kubernetes_version), InSchema(enum=list(SUPPORTED_KUBERNETES_VERSIONS))
    ] = Field(
        default=DEFAULT_KUBERNETES_VERSION,
        description=(
            f"The Kubernetes minor version, in quotes. Only {DEFAULT_KUBERNETES_VERSION} has pinned add-ons and node "
            f"images. For another version, also set `addonVersions` and `nodeReleaseVersion`."
        ),
        examples=[DEFAULT_KUBERNETES_VERSION],
    )
    addon_overrides: Annotated[dict[str, AddonVersion], InSchema(propertyNames={"enum": sorted(ADDON_VERSIONS)})] = (
        Field(
            default={},
            alias="addonVersions",
            description=f"The versions of EKS add-ons: {', '.join(sorted(ADDON_VERSIONS))}.",
            examples=[{"coredns": ADDON_VERSIONS["coredns"]}],
            json_schema_extra=absent("the pinned versions, in `vllm_eks/pins/eks.py`"),
        )
    )
    node_release_override: (
        Annotated[str, AfterValidator(rules.node_release_version), InSchema(pattern=rules.NODE_RELEASE)] | None
    ) = Field(
        default=None,
        alias="nodeReleaseVersion",
        description="The release of the EKS AL2023 AMI for system nodes and GPU nodes.",
        examples=[NODE_RELEASE_VERSION],
        json_schema_extra=absent(f"the pinned release, {NODE_RELEASE_VERSION}"),
    )
    admins: Annotated[tuple[Principal, ...], AfterValidator(rules.distinct), InSchema(uniqueItems=True)] = Field(
        default=(),
        strict=False,
        description=(
            "ARNs of IAM users and roles that become cluster admins. Leave out the creator of the cluster, which is "
            "already an admin."
        ),
        examples=[["arn:aws:iam::123456789012:role/admin"]],
    )
    system_instance_type: Annotated[
        str, AfterValidator(aws_names.system_instance_type), InSchema(pattern=aws_names.SYSTEM_INSTANCE_TYPE)
    ] = Field(
        default=SYSTEM_INSTANCE_TYPE,
        description=(
            "The EC2 type of the two system nodes: x86-64, size medium or larger. Not every region offers the default."
        ),
        examples=["m6i.large"],
    )
    kubeconfig_path: Annotated[str, AfterValidator(rules.kubeconfig_path)] | None = Field(
        default=None,
        description=(
            "The path of a kubeconfig to use instead of the cluster's own, for example through a tunnel. Its current "
            "context must have a cluster with a server, and a user."
        ),
        examples=["~/.kube/tunnel"],
        json_schema_extra=absent("the cluster's own kubeconfig"),
    )
    deletion_protection: bool = Field(
        default=False,
        description=(
            "Makes Pulumi refuse to delete anything while it would delete the cluster or a model, and makes EKS "
            "refuse to delete the cluster. To turn it off, set `false` and run `pulumi up`."
        ),
        examples=[True],
    )
    keep_logs: bool = Field(
        default=False,
        description="Keeps the control plane's logs and the VPC flow logs when the stack is destroyed.",
        examples=[True],
    )

    @property
    def spec(self) -> ClusterSpec:
        """The settings for the checks and the cluster's components."""
        return ClusterSpec(
            kubernetes_version=self.kubernetes_version,
            node_release_version=self.node_release_version,
            addon_versions=self.addon_versions,
            system_instance_type=self.system_instance_type,
            public_access_cidrs=self.public_access_cidrs,
            admins=self.admins,
            deletion_protection=self.deletion_protection,
            keep_logs=self.keep_logs,
            existing=self.existing.spec if self.existing else None,
        )

    @property
    def addon_versions(self) -> dict[str, str]:
        """The version of every add-on: the stack's own, or else the pin."""
        return {**ADDON_VERSIONS, **self.addon_overrides}

    @property
    def node_release_version(self) -> str:
        """The AMI release of all nodes."""
        return self.node_release_override or NODE_RELEASE_VERSION
