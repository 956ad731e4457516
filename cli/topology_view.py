"""The network, its zones, their nodes and the GPUs of each, as a picture drawn from what was registered."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from cli.mock_cloud import Registration
from cli.plan_view import gpu_lines, legend, node_contents
from cli.recording import Recording

SUBNET = "aws:ec2/subnet:Subnet"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
NAT_GATEWAY = "aws:ec2/natGateway:NatGateway"
VPC = "aws:ec2/vpc:Vpc"
MODEL_LABEL = "vllm-eks/model"


@dataclass(frozen=True)
class Subnet:
    """One subnet of the picture."""

    zone: str
    id: str
    label: str


def topology(recording: Recording, out: Console) -> Tree:
    """Return the picture: VPC, zones, subnets, node groups, nodes, GPUs with their memory."""
    vpcs = recording.of_type(VPC)
    name = vpcs[0].inputs["cidrBlock"] if vpcs else f"{recording.vpc_id} (existing)"
    root = Tree(Text(f"VPC {name}  {recording.region}", style="bold"))
    subnets = _subnets(recording)
    zone_of = {subnet.id: subnet.zone for subnet in subnets}
    for zone in sorted(set(zone_of.values())):
        branch = root.add(Text(zone, style="bold"))
        for subnet in subnets:
            if subnet.zone == zone:
                node = branch.add(Text(subnet.label))
                for group in recording.of_type(NODE_GROUP):
                    if subnet.id in group.inputs["subnetIds"]:
                        _add_group(node, group, recording, zone_of, out)
    root.add(legend())
    return root


def _subnets(recording: Recording) -> list[Subnet]:
    if recording.private_subnets is not None:
        return [Subnet(zone, id_, f"private {id_} (existing)") for zone, id_ in recording.private_subnets.items()]
    homes_of_nat = {gateway.inputs["subnetId"] for gateway in recording.of_type(NAT_GATEWAY)}
    found = []
    for one in recording.of_type(SUBNET):
        id_ = f"{one.name}-id"
        kind = "public" if "/role/elb" in str(one.inputs.get("tags")) else "private"
        label = f"{kind} {one.inputs['cidrBlock']}" + ("  NAT gateway" if id_ in homes_of_nat else "")
        found.append(Subnet(str(one.inputs["availabilityZone"]), id_, label))
    return found


def _add_group(
    branch: Tree, group: Registration, recording: Recording, zone_of: Mapping[str, str], out: Console
) -> None:
    count = group.inputs["scalingConfig"]["desiredSize"]
    model = str((group.inputs.get("labels") or {}).get(MODEL_LABEL))
    nodes = recording.fleet.get(model)
    if nodes is None:
        zones = " and ".join(sorted(zone_of[subnet] for subnet in group.inputs["subnetIds"]))
        branch.add(Text(f"system nodes: {count} x {group.inputs['instanceTypes'][0]} over {zones}"))
        return
    share, instance_type = nodes.plan.in_one_zone, nodes.plan.instance.type
    if nodes.parked:
        branch.add(Text(f"{model}: parked, {share.nodes_per_zone} x {instance_type} when it runs", style="bold"))
        return
    drawn = branch.add(Text(f"{model}: {count} x {instance_type}, {nodes.kind}", style="bold"))
    for index in range(count):
        node = drawn.add(Text(f"node {index + 1}  {node_contents(share, index)}"))
        for line in gpu_lines(share, index, out):
            node.add(line)
