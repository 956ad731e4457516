"""An existing network and an existing cluster."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from config.settings.base import InSchema, Settings, Zone, absent
from config.values import rules
from vllm_eks.aws import names as aws_names
from vllm_eks.specs.cluster import ExistingClusterSpec
from vllm_eks.specs.network import ExistingVpcSpec

SubnetId = Annotated[str, AfterValidator(aws_names.subnet_id), InSchema(pattern=aws_names.SUBNET_ID)]
SecurityGroupId = Annotated[
    str, AfterValidator(aws_names.security_group_id), InSchema(pattern=aws_names.SECURITY_GROUP_ID)
]


class ExistingNetworkSettings(Settings):
    """An existing VPC, and the private subnets to use in it, by ID or by tags."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["subnets"]}, {"required": ["subnetTags"]}]})

    vpc_id: Annotated[str, AfterValidator(aws_names.vpc_id), InSchema(pattern=aws_names.VPC_ID)] = Field(
        description="The ID of the VPC, such as vpc-0123456789abcdef0.", examples=["vpc-0123456789abcdef0"]
    )
    subnets: Annotated[dict[Zone, SubnetId], InSchema(additionalProperties=False, minProperties=2)] = Field(
        default={},
        description=(
            "The private subnet of each zone, for two or more zones. The keys are the stack's zones, so leave out "
            "`network.zones`."
        ),
        examples=[{"us-west-2a": "subnet-0123456789abcdef0", "us-west-2b": "subnet-0123456789abcdef1"}],
        json_schema_extra=absent("required unless `subnetTags` is set"),
    )
    subnet_tags: Annotated[dict[str, str], AfterValidator(rules.filter_tags)] = Field(
        default={},
        description="The tags that exactly one private subnet in each of `network.zones` has.",
        examples=[{"tier": "private"}],
        json_schema_extra=absent("the subnets of `subnets`"),
    )

    @property
    def spec(self) -> ExistingVpcSpec:
        """The settings for the checks."""
        return ExistingVpcSpec(vpc_id=self.vpc_id, subnets=self.subnets, subnet_tags=self.subnet_tags)


class ExistingClusterSettings(Settings):
    """An existing cluster: its name, and optionally the security groups of its nodes."""

    name: Annotated[str, AfterValidator(aws_names.cluster_name), InSchema(pattern=aws_names.CLUSTER_NAME)] = Field(
        description="The name of the EKS cluster.", examples=["platform"]
    )
    security_group_ids: Annotated[
        tuple[SecurityGroupId, ...], AfterValidator(rules.distinct), InSchema(uniqueItems=True)
    ] = Field(
        default=(),
        strict=False,
        description="The security groups that the cluster's nodes share. The GPU nodes get them too.",
        examples=[["sg-0123456789abcdef0"]],
    )

    @property
    def spec(self) -> ExistingClusterSpec:
        """The settings for the checks and the cluster's components."""
        return ExistingClusterSpec(name=self.name, security_group_ids=self.security_group_ids)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"name": aws_names.cluster_name(value)} if isinstance(value, str) else value
