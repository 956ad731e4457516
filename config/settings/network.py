"""The network section of a stack file."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from config.settings.base import InSchema, Settings, Zone, absent
from config.settings.existing import ExistingNetworkSettings
from config.values import network_rules
from vllm_eks.specs.network import NatGateways, NetworkSpec


class NetworkSettings(Settings):
    """The VPC: a new one, or an existing one."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["zones"]}, {"required": ["existing"]}]})

    # strict=False only for tuples, so that a list in the file becomes a tuple. Its items are still strict.
    given_zones: Annotated[
        tuple[Zone, ...], AfterValidator(network_rules.zones), InSchema(minItems=2, uniqueItems=True)
    ] = Field(
        default=(),
        strict=False,
        alias="zones",
        description=(
            "Two or more availability zones of `aws:region`. A zone's letter determines its subnets, so adding, "
            "removing or reordering zones does not affect the others."
        ),
        examples=[["us-west-2a", "us-west-2b"]],
        json_schema_extra=absent("required unless `existing.subnets` is set"),
    )
    cidr: Annotated[str, AfterValidator(network_rules.network_cidr), InSchema(pattern=network_rules.VPC_CIDR)] = Field(
        default="10.0.0.0/16",
        description="The private IPv4 range of the VPC, from /16 to /20.",
        examples=["10.20.0.0/16"],
    )
    nat_gateways: NatGateways = Field(
        default="single",
        description=(
            "`single`: one NAT gateway for all zones. If its zone fails, no zone has internet access. `perZone`: one "
            "NAT gateway in each zone."
        ),
        examples=["perZone"],
    )
    existing: ExistingNetworkSettings | None = Field(
        default=None,
        description="An existing VPC to use instead of a new one.",
        examples=[{"vpcId": "vpc-0123456789abcdef0", "subnetTags": {"tier": "private"}}],
        json_schema_extra=absent("the stack creates a VPC"),
    )

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones, or else those of the existing subnets. Sorted, so that their order in the file does not matter."""
        return tuple(sorted(self.given_zones or (self.existing.subnets if self.existing else ())))

    @property
    def spec(self) -> NetworkSpec:
        """The settings for the checks and the network's components."""
        return NetworkSpec(
            zones=self.zones,
            cidr=self.cidr,
            nat_gateways=self.nat_gateways,
            existing=self.existing.spec if self.existing else None,
        )
