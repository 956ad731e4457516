"""The network of a stack: its settings, and the properties of an existing VPC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

NatGateways = Literal["single", "perZone"]
"""`single`: one for all zones, in the alphabetically first zone. `perZone`: one in each zone."""

SYSTEM_ZONES = 2
"""The system nodes are in the alphabetically first zones, so that DNS and the controllers survive the loss of one."""


@dataclass(frozen=True, kw_only=True)
class ExistingVpcSpec:
    """An existing VPC, and how to find its private subnets."""

    vpc_id: str
    subnets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Zone -> private subnet. If empty, `subnet_tags` find them."""
    subnet_tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """The VPC of a stack."""

    zones: Sequence[str]
    """Availability zones, such as us-west-2a. Their order only affects the order of the outputs."""
    cidr: str = "10.0.0.0/16"
    """The range of a new VPC, /16 to /20."""
    nat_gateways: NatGateways = "single"
    """For a new VPC."""
    existing: ExistingVpcSpec | None = None
    """None for a new VPC."""

    @property
    def system_zones(self) -> Sequence[str]:
        """The zones of the system nodes."""
        return sorted(self.zones)[:SYSTEM_ZONES]

    @property
    def nat_gateway_count(self) -> int:
        """The number of NAT gateways of a new VPC. Each has an address."""
        return len(self.zones) if self.nat_gateways == "perZone" else 1


@dataclass(frozen=True, kw_only=True)
class FoundVpc:
    """An existing VPC, with the subnets to use."""

    vpc_id: str
    private_subnets: Mapping[str, str]
    """Zone -> subnet ID. In an offline preview an ID may be a placeholder."""
    ranges: Sequence[str] = ()
    """The IPv4 ranges of the VPC. Only looked up for a load balancer."""
    nat_addresses: Sequence[str] = ()
    """The addresses of its NAT gateways, with /32. Only looked up if metrics need an internet-facing load balancer."""
    subnet_ranges: Mapping[str, str] = field(default_factory=dict[str, str])
    """Subnet ID -> IPv4 range, of the private and the load balancer's subnets. Only looked up for a load balancer."""
