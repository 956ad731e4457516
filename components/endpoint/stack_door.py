"""The load balancer of a stack, if it has one."""

from dataclasses import dataclass

import pulumi

from components.endpoint.door_network import door_network
from components.endpoint.front_door import FrontDoor, FrontDoorArgs
from components.network.existing_network import ExistingNetwork
from components.network.network import Network, NetworkArgs
from components.nodes.cluster_connection import ClusterConnection
from vllm_eks.specs.controllers import ControllersSpec
from vllm_eks.specs.endpoint import EndpointSpec
from vllm_eks.specs.network import FoundVpc


@dataclass(frozen=True, kw_only=True)
class DoorSite:
    """The network and the cluster of a load balancer."""

    network: Network | ExistingNetwork
    made_with: NetworkArgs
    """The arguments of the network, with the load balancer's stack."""
    found_vpc: FoundVpc | None
    """None for a new network."""
    cluster: ClusterConnection


def stack_door(
    endpoint: EndpointSpec | None,
    site: DoorSite,
    controllers: ControllersSpec,
    opts: pulumi.ResourceOptions,
) -> FrontDoor | None:
    """Return the load balancer, or None if the models answer inside the cluster only.

    Args:
        endpoint: The settings of the load balancer.
        site: Its network and cluster.
        controllers: Sources of charts and images.
        opts: Options with the provider of the cluster, and with what exists before it.
    """
    if endpoint is None:
        return None
    stack = site.made_with.stack
    args = FrontDoorArgs(
        endpoint=endpoint,
        network=door_network(site.network, site.made_with.network, endpoint, site.found_vpc),
        cluster_name=site.cluster.cluster_name,
        node_security_group_id=site.cluster.security_group_ids[0],
        region=stack.region,
        stack=stack.name,
        controller=controllers.charts.aws_load_balancer_controller,
        controller_image=controllers.images.aws_load_balancer_controller,
        iam=stack.iam,
        tags=stack.tags,
    )
    # The cluster is among the dependencies, and with it the gateways of a new network.
    return FrontDoor(f"{stack.name}-door", args, opts)
