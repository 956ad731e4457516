"""A managed node group of GPU instances in one zone and one placement group."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.nodes.cluster_connection import ClusterConnection
from components.nodes.failed_creation import id_when_active
from components.nodes.gpu_taint import GPU_TAINT_KEY
from components.nodes.launch_templates import INSTANCE_METADATA, encrypted_root_volume, name_tags
from components.nodes.node_repair import NODE_REPAIR
from components.nodes.user_data import NODE_WEIGHTS_FOLDER, node_user_data
from vllm_eks.planner.search.gpu_nodes import CAPACITY_BLOCK, ON_DEMAND, SPOT, CapacityType, NodeSpec

EKS_CAPACITY_TYPES: Mapping[CapacityType, str | None] = {
    # EKS's own default. Setting it would show a change for every group created without it.
    ON_DEMAND: None,
    SPOT: "SPOT",
    CAPACITY_BLOCK: "CAPACITY_BLOCK",
}

ROOT_VOLUME_GIB = 100
"""Root disk of a GPU node, only for the system. Images, logs and weights are on the local NVMe, which every type
has."""

GPU_TAINT: aws.eks.NodeGroupTaintArgsDict = {"key": GPU_TAINT_KEY, "value": "true", "effect": "NO_SCHEDULE"}

GPU_LABELS = {"nvidia.com/gpu.present": "true"}
"""Labels that the device plugin's chart needs. The AMI sets them only from some release on."""


def model_label(model_name: str) -> dict[str, str]:
    """Return the label with the model that a node is for."""
    return {"vllm-eks/model": model_name}


@dataclass(frozen=True, kw_only=True)
class GpuNodeGroupArgs:
    """The arguments of a GpuNodeGroup. Values from other resources are Inputs."""

    cluster: ClusterConnection
    nodes: NodeSpec
    subnet_id: pulumi.Input[str]
    """A single subnet, and so a single zone, because a cluster placement group cannot span zones."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    template_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of the launch template and its resources. They must never change, because a new template replaces all
    nodes."""


class GpuNodeGroup(pulumi.ComponentResource):
    """GPU nodes close together, for pipeline parallel traffic."""

    nodes: pulumi.Output[str]
    """A digest of all inputs of the nodes. It changes whenever nodes are replaced, updated or relabelled."""
    placement_group_name: pulumi.Input[str] | None

    def __init__(self, name: str, args: GpuNodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:GpuNodeGroup", name, {}, opts)
        cluster, spec = args.cluster, args.nodes
        self.placement_group_name = self._placement_group(name, args)
        template = self._launch_template(name, args)
        template_version = template.latest_version.apply(str)
        labels = {**args.labels, **GPU_LABELS}
        nodes = aws.eks.NodeGroup(
            f"{name}-nodes",
            cluster_name=cluster.cluster_name,
            node_role_arn=cluster.node_role_arn,
            subnet_ids=[args.subnet_id],
            # EKS reads the type of a Capacity Block only from the template.
            instance_types=None if spec.capacity_type == CAPACITY_BLOCK else [spec.instance_type],
            capacity_type=EKS_CAPACITY_TYPES[spec.capacity_type],
            ami_type="AL2023_x86_64_NVIDIA",
            version=cluster.kubernetes_version,
            release_version=cluster.node_release_version,
            launch_template={"id": template.id, "version": template_version},
            # EKS refuses a maximum size of 0, even when no node is wanted.
            scaling_config={
                "min_size": spec.node_count,
                "desired_size": spec.node_count,
                "max_size": max(spec.node_count, 1),
            },
            # The default strategy starts up to two more nodes before it drains one, which needs more quota.
            update_config={"max_unavailable": 1, "update_strategy": "MINIMAL"},
            node_repair_config=NODE_REPAIR,
            taints=[GPU_TAINT],
            labels=labels,
            tags={**args.tags, "Name": name},
            # Two groups with the same GPUs at once would need twice the quota, so delete first.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        made_from = [cluster.kubernetes_version, cluster.node_release_version, labels, GPU_TAINT, NODE_REPAIR]
        self.nodes = pulumi.Output.all(id_when_active(nodes), template_version, *made_from).apply(_digest)
        self.register_outputs({"nodes": self.nodes, "placement_group_name": self.placement_group_name})

    def _placement_group(self, name: str, args: GpuNodeGroupArgs) -> pulumi.Input[str] | None:
        if args.nodes.capacity_reservation_id or args.nodes.capacity_reservation_group_arn:
            # A reservation only provides instances in its own group, or outside any group if it has none.
            return args.nodes.reserved_placement_group
        if not args.nodes.close_together:
            return None
        group = aws.ec2.PlacementGroup(
            f"{name}-placement",
            strategy="cluster",
            tags={**args.tags, "Name": name},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return group.name

    def _launch_template(self, name: str, args: GpuNodeGroupArgs) -> aws.ec2.LaunchTemplate:
        spec, security_group_ids = args.nodes, args.cluster.security_group_ids
        with_efa = spec.efa_interfaces > 0
        is_block = spec.capacity_type == CAPACITY_BLOCK
        return aws.ec2.LaunchTemplate(
            f"{name}-template",
            placement={"group_name": self.placement_group_name} if self.placement_group_name else None,
            instance_type=spec.instance_type if is_block else None,
            instance_market_options={"market_type": "capacity-block"} if is_block else None,
            capacity_reservation_specification=_reservation(spec),
            block_device_mappings=encrypted_root_volume(ROOT_VOLUME_GIB),
            metadata_options=INSTANCE_METADATA,
            # EC2 accepts security groups either on the interfaces or on the instance, but not on both.
            network_interfaces=efa_network_interfaces(spec, security_group_ids) if with_efa else None,
            vpc_security_group_ids=None if with_efa else security_group_ids,
            tag_specifications=name_tags(name, args.template_tags, ("instance", "volume", "network-interface")),
            tags=args.template_tags,
            user_data=node_user_data(
                has_local_nvme=spec.has_local_nvme,
                efa=with_efa,
                # Independent of the source of the weights, because new user data would replace every node.
                weights_folder=NODE_WEIGHTS_FOLDER,
            ),
            update_default_version=True,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _reservation(spec: NodeSpec) -> aws.ec2.LaunchTemplateCapacityReservationSpecificationArgsDict | None:
    if spec.capacity_reservation_id:
        return {"capacity_reservation_target": {"capacity_reservation_id": spec.capacity_reservation_id}}
    if spec.capacity_reservation_group_arn:
        arn = spec.capacity_reservation_group_arn
        return {"capacity_reservation_target": {"capacity_reservation_resource_group_arn": arn}}
    return None


def efa_network_interfaces(
    spec: NodeSpec, security_group_ids: Sequence[pulumi.Input[str]]
) -> list[aws.ec2.LaunchTemplateNetworkInterfaceArgsDict]:
    """Return an EFA interface for each network card with EFA. Only the first card carries the node's IP traffic.

    The first card of p6-b300 has no EFA: it gets a plain interface, and the others have device 0
    (aws/aws-parallelcluster#7143). On other types the first card is both, and the others have device 1.
    """
    plain_first = spec.network_cards > spec.efa_interfaces
    return [
        {
            "network_card_index": card,
            "device_index": 0 if card == 0 or plain_first else 1,
            "interface_type": "efa-only" if card else "interface" if plain_first else "efa",
            "security_groups": security_group_ids,
            "delete_on_termination": "true",
        }
        for card in range(spec.efa_interfaces + plain_first)
    ]


def _digest(values: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
