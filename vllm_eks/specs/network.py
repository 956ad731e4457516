"""The network of a stack: what its settings ask for, and what was found of a VPC that exists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

NatGateways = Literal["single", "perZone"]
"""`single`: one, in the first zone of the alphabet, for all zones; `perZone`: one in each zone."""

SYSTEM_ZONES = 2
"""The system nodes are in the first zones of the alphabet, so that DNS and the controllers survive the loss of one."""


@dataclass(frozen=True, kw_only=True)
class ExistingVpcSpec:
    """A VPC that exists, and how to find its private subnets."""

    vpc_id: str
    subnets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Zone -> private subnet; where empty, `subnet_tags` find them."""
    subnet_tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """The VPC of a stack."""

    zones: Sequence[str]
    """Availability zones, such as us-west-2a; their order changes nothing but the order of the outputs."""
    cidr: str = "10.0.0.0/16"
    """The range of a new VPC, /16 to /20."""
    nat_gateways: NatGateways = "single"
    """Of a new VPC."""
    existing: ExistingVpcSpec | None = None
    """None: a new VPC."""

    @property
    def system_zones(self) -> Sequence[str]:
        """The zones of the system nodes."""
        return sorted(self.zones)[:SYSTEM_ZONES]

    @property
    def nat_gateway_count(self) -> int:
        """How many NAT gateways a new VPC has; each has an address."""
        return len(self.zones) if self.nat_gateways == "perZone" else 1


@dataclass(frozen=True, kw_only=True)
class FoundVpc:
    """A VPC that exists, with the subnets to use."""

    vpc_id: str
    private_subnets: Mapping[str, str]
    """Zone -> subnet id. In an offline preview an id may be a placeholder."""
