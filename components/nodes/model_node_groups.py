"""The GPU node groups of a model: one in each of its zones."""

from dataclasses import dataclass

import pulumi

from components.network.existing_network import ExistingNetwork
from components.network.network import Network
from components.nodes.cluster_connection import ClusterConnection
from components.nodes.gpu_node_group import GpuNodeGroup, GpuNodeGroupArgs, model_label
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.specs.stack import StackSpec


@dataclass(frozen=True, kw_only=True)
class NodeSite:
    """The stack, the network and the cluster of GPU nodes."""

    stack: StackSpec
    network: Network | ExistingNetwork
    cluster: ClusterConnection


def model_node_groups(model: str, nodes: GpuNodes, site: NodeSite, opts: pulumi.ResourceOptions) -> list[GpuNodeGroup]:
    """Return the node groups of a model, in the order of its zones."""
    groups: list[GpuNodeGroup] = []
    for zone, group_name in nodes.group_names(site.stack.name, model):
        args = GpuNodeGroupArgs(
            cluster=site.cluster,
            nodes=nodes.spec_per_zone,
            subnet_id=site.network.private_subnet_id(zone),
            labels=model_label(model),
            tags=site.stack.tags,
            template_tags=site.stack.ownership_tag,
        )
        groups.append(GpuNodeGroup(group_name, args, opts))
    return groups
