"""The subnets of a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.network.existing_network import ExistingNetwork
from components.network.network import Network


@dataclass(frozen=True, kw_only=True)
class ClusterSubnets:
    """What a network, new or existing, provides for the stack's cluster."""

    vpc_id: pulumi.Input[str]
    public: Sequence[pulumi.Input[str]]
    private: Sequence[pulumi.Input[str]]
    for_system_nodes: Sequence[pulumi.Input[str]]
    """Private subnets in two zones."""


def cluster_subnets(network: Network | ExistingNetwork, system_zones: Sequence[str]) -> ClusterSubnets:
    """Return the subnets of a cluster with system nodes in these zones."""
    return ClusterSubnets(
        vpc_id=network.vpc_id,
        public=network.public_subnet_ids,
        private=network.private_subnet_ids,
        for_system_nodes=[network.private_subnet_id(zone) for zone in system_zones],
    )
