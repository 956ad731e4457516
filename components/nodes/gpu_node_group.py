"""A managed node group of GPU instances in one zone, packed into one placement group."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.nodes.failed_creation import once_active
from components.nodes.gpu_taint import GPU_TAINT_KEY
from components.nodes.launch_templates import INSTANCE_METADATA, encrypted_root_volume, name_tags
from components.nodes.node_repair import NODE_REPAIR
from components.nodes.user_data import node_user_data

ON_DEMAND, CAPACITY_BLOCK = "ON_DEMAND", "CAPACITY_BLOCK"

GPU_TAINT: aws.eks.NodeGroupTaintArgsDict = {"key": GPU_TAINT_KEY, "value": "true", "effect": "NO_SCHEDULE"}

GPU_LABELS = {"nvidia.com/gpu.present": "true"}
"""What the device plugin's chart looks for. The image sets it by itself, but only from some release on."""


@dataclass(frozen=True, kw_only=True)
class GpuNodeGroupArgs:
    """What a GpuNodeGroup needs. Values another resource may produce are Inputs."""

    cluster_name: pulumi.Input[str]
    node_role_arn: pulumi.Input[str]
    security_group_ids: Sequence[pulumi.Input[str]]
    """The cluster's own group first: from Kubernetes 1.33 it carries the rules to itself that EFA needs."""
    subnet_id: pulumi.Input[str]
    """One subnet, so one zone: a cluster placement group cannot span zones."""
    kubernetes_version: str
    node_release_version: str
    """The AL2023 image's release, such as 1.36.2-20260714."""
    instance_type: str
    node_count: int
    capacity_type: str = "ON_DEMAND"
    """As EKS spells it: ON_DEMAND, SPOT or CAPACITY_BLOCK."""
    capacity_reservation_id: str | None = None
    """The reservation that every node is taken from."""
    capacity_reservation_group_arn: str | None = None
    """The resource group of reservations that every node is taken from, in place of one reservation."""
    cluster_placement: bool
    """Whether nodes talk to each other enough to be packed close together, which makes capacity scarcer."""
    placement_group_name: str | None = None
    """The placement group that the reservation was made in, if any."""
    efa_interfaces: int = 0
    """How many network cards get an EFA interface; 0 leaves EFA off."""
    network_cards: int = 1
    """Of the instance type. Where it has more than EFA interfaces, its first card takes none."""
    has_local_nvme: bool
    weights_folder: str | None = None
    """A folder on the local NVMe that is there on every node."""
    root_volume_gib: int
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    template_tags: Mapping[str, str] = field(default_factory=dict)
    """On the launch template and all it makes. Never to change: another template replaces every node."""


class GpuNodeGroup(pulumi.ComponentResource):
    """GPU nodes close together, for pipeline parallel traffic."""

    nodes: pulumi.Output[str]
    """A digest of all that nodes are made from, another one whenever some are replaced, rolled or labelled anew."""
    placement_group_name: pulumi.Input[str] | None

    def __init__(self, name: str, args: GpuNodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:GpuNodeGroup", name, {}, opts)
        self.placement_group_name = self._placement_group(name, args)
        template = self._launch_template(name, args)
        template_version = template.latest_version.apply(str)
        labels = {**args.labels, **GPU_LABELS}
        nodes = aws.eks.NodeGroup(
            f"{name}-nodes",
            cluster_name=args.cluster_name,
            node_role_arn=args.node_role_arn,
            subnet_ids=[args.subnet_id],
            # EKS takes the type of a Capacity Block from the template only.
            instance_types=None if args.capacity_type == CAPACITY_BLOCK else [args.instance_type],
            capacity_type=None if args.capacity_type == ON_DEMAND else args.capacity_type,
            ami_type="AL2023_x86_64_NVIDIA",
            version=args.kubernetes_version,
            release_version=args.node_release_version,
            launch_template={"id": template.id, "version": template_version},
            # EKS refuses a largest size of none, even where no node is wanted.
            scaling_config={
                "min_size": args.node_count,
                "desired_size": args.node_count,
                "max_size": max(args.node_count, 1),
            },
            # The default strategy starts up to two more nodes before it drains one: quota nobody has.
            update_config={"max_unavailable": 1, "update_strategy": "MINIMAL"},
            node_repair_config=NODE_REPAIR,
            taints=[GPU_TAINT],
            labels=labels,
            tags={**args.tags, "Name": name},
            # Two groups of the same GPUs at once would need twice the quota: give back first.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        made_from = [args.kubernetes_version, args.node_release_version, labels, GPU_TAINT, NODE_REPAIR]
        self.nodes = pulumi.Output.all(once_active(nodes), template_version, *made_from).apply(_digest)
        self.register_outputs({"nodes": self.nodes, "placement_group_name": self.placement_group_name})

    def _placement_group(self, name: str, args: GpuNodeGroupArgs) -> pulumi.Input[str] | None:
        if args.capacity_reservation_id or args.capacity_reservation_group_arn:
            # A reservation serves only instances of the group it was made in, and outside any group if in none.
            return args.placement_group_name
        if not args.cluster_placement:
            return None
        group = aws.ec2.PlacementGroup(
            f"{name}-placement",
            strategy="cluster",
            tags={**args.tags, "Name": name},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return group.name

    def _launch_template(self, name: str, args: GpuNodeGroupArgs) -> aws.ec2.LaunchTemplate:
        with_efa = args.efa_interfaces > 0
        is_block = args.capacity_type == CAPACITY_BLOCK
        return aws.ec2.LaunchTemplate(
            f"{name}-template",
            placement={"group_name": self.placement_group_name} if self.placement_group_name else None,
            instance_type=args.instance_type if is_block else None,
            instance_market_options={"market_type": "capacity-block"} if is_block else None,
            capacity_reservation_specification=_reservation(args),
            block_device_mappings=encrypted_root_volume(args.root_volume_gib),
            metadata_options=INSTANCE_METADATA,
            # EC2 takes security groups on the interfaces or on the instance, never on both.
            network_interfaces=efa_network_interfaces(args) if with_efa else None,
            vpc_security_group_ids=None if with_efa else args.security_group_ids,
            tag_specifications=name_tags(name, args.template_tags, ("instance", "volume", "network-interface")),
            tags=args.template_tags,
            user_data=node_user_data(
                has_local_nvme=args.has_local_nvme, efa=with_efa, weights_folder=args.weights_folder
            ),
            update_default_version=True,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _reservation(args: GpuNodeGroupArgs) -> aws.ec2.LaunchTemplateCapacityReservationSpecificationArgsDict | None:
    if args.capacity_reservation_id:
        return {"capacity_reservation_target": {"capacity_reservation_id": args.capacity_reservation_id}}
    if args.capacity_reservation_group_arn:
        arn = args.capacity_reservation_group_arn
        return {"capacity_reservation_target": {"capacity_reservation_resource_group_arn": arn}}
    return None


def efa_network_interfaces(args: GpuNodeGroupArgs) -> list[aws.ec2.LaunchTemplateNetworkInterfaceArgsDict]:
    """Return an EFA interface for each network card that takes one; only the first card carries the node's IP traffic.

    The first card of p6-b300 takes no EFA: it gets a plain interface, and the others device 0
    (aws/aws-parallelcluster#7143). Everywhere else the first one is both, and the others have device 1.
    """
    plain_first = args.network_cards > args.efa_interfaces
    return [
        {
            "network_card_index": card,
            "device_index": 0 if card == 0 or plain_first else 1,
            "interface_type": "efa-only" if card else "interface" if plain_first else "efa",
            "security_groups": args.security_group_ids,
            "delete_on_termination": "true",
        }
        for card in range(args.efa_interfaces + plain_first)
    ]


def _digest(values: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
