"""The network of the load balancer: its subnets, and their address ranges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.network.existing_network import ExistingNetwork
from components.network.network import Network
from components.network.subnets import private_subnet_cidr, public_subnet_cidr
from vllm_eks.specs.endpoint import EndpointSpec
from vllm_eks.specs.network import FoundVpc, NetworkSpec


@dataclass(frozen=True, kw_only=True)
class DoorNetwork:
    """Where the load balancer is, and who is near it."""

    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    """One in each of two or more zones."""
    subnet_ranges: Sequence[str]
    """The ranges that hold the load balancer's own addresses, for NetworkPolicies."""
    vpc_ranges: Sequence[str]
    """The clients of an internal load balancer, unless the stack names others."""
    nat_addresses: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Zone -> address of the stack's own NAT gateway, from which pods reach an internet-facing load balancer."""


def door_network(
    network: Network | ExistingNetwork, spec: NetworkSpec, endpoint: EndpointSpec, found: FoundVpc | None
) -> DoorNetwork:
    """Return the network of the load balancer: public subnets if it faces the internet, or else private ones."""
    if found:
        return _existing(network, endpoint, found)
    subnet_cidr = public_subnet_cidr if endpoint.internet_facing else private_subnet_cidr
    return DoorNetwork(
        vpc_id=network.vpc_id,
        subnet_ids=network.public_subnet_ids if endpoint.internet_facing else network.private_subnet_ids,
        subnet_ranges=[subnet_cidr(spec.cidr, zone) for zone in spec.zones],
        vpc_ranges=[spec.cidr],
        nat_addresses=network.nat_addresses if isinstance(network, Network) else {},
    )


def _existing(network: Network | ExistingNetwork, endpoint: EndpointSpec, found: FoundVpc) -> DoorNetwork:
    subnets = endpoint.public_subnets if endpoint.internet_facing else found.private_subnets
    return DoorNetwork(
        vpc_id=network.vpc_id,
        subnet_ids=list(subnets.values()),
        subnet_ranges=[found.subnet_ranges[subnet] for subnet in subnets.values()],
        vpc_ranges=found.ranges,
    )
