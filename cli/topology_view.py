"""The network, its zones, their nodes and the GPUs of each, as a picture drawn from what was registered."""

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from cli.mock_cloud import Registration
from cli.plan_view import gpu_lines, legend, node_contents
from cli.recording import Recording

SUBNET = "aws:ec2/subnet:Subnet"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
GPU_NODE_GROUP = "vllm-eks:index:GpuNodeGroup"
NAT_GATEWAY = "aws:ec2/natGateway:NatGateway"
VPC = "aws:ec2/vpc:Vpc"
MODEL_LABEL = "vllm-eks/model"


def topology(recording: Recording, out: Console) -> Tree:
    """Return the picture: VPC, zones, subnets, node groups, nodes, GPUs with their memory."""
    vpcs = recording.of_type(VPC)
    cidr = vpcs[0].inputs["cidrBlock"] if vpcs else ""
    root = Tree(Text(f"VPC {cidr}  {recording.region}", style="bold"))
    subnets = recording.of_type(SUBNET)
    for zone in sorted({str(subnet.inputs["availabilityZone"]) for subnet in subnets}):
        branch = root.add(Text(zone, style="bold"))
        for subnet in subnets:
            if subnet.inputs["availabilityZone"] == zone:
                _add_subnet(branch, subnet, recording, out)
    root.add(legend(out))
    return root


def _add_subnet(branch: Tree, subnet: Registration, recording: Recording, out: Console) -> None:
    nat = any(gateway.inputs["subnetId"] == f"{subnet.name}-id" for gateway in recording.of_type(NAT_GATEWAY))
    kind = "public" if "/role/elb" in str(subnet.inputs.get("tags")) else "private"
    label = f"{kind} {subnet.inputs['cidrBlock']}" + ("  NAT gateway" if nat else "")
    node = branch.add(Text(label))
    for group in recording.of_type(NODE_GROUP):
        if f"{subnet.name}-id" in group.inputs["subnetIds"]:
            _add_group(node, group, recording, out)


def _add_group(branch: Tree, group: Registration, recording: Recording, out: Console) -> None:
    instance_type = group.inputs["instanceTypes"][0]
    count = group.inputs["scalingConfig"]["desiredSize"]
    model = (group.inputs.get("labels") or {}).get(MODEL_LABEL)
    plan = recording.plans.get(str(model))
    if plan is None:
        zones = (
            str(subnet.inputs["availabilityZone"])
            for subnet in recording.of_type(SUBNET)
            if f"{subnet.name}-id" in group.inputs["subnetIds"]
        )
        branch.add(Text(f"system nodes: {count} x {instance_type} over {' and '.join(sorted(zones))}"))
        return
    nodes = branch.add(Text(f"{model}: {count} x {instance_type}, one placement group", style="bold"))
    for index in range(count):
        drawn = nodes.add(Text(f"node {index + 1}  {node_contents(plan, index)}"))
        for line in gpu_lines(plan, index, out):
            drawn.add(line)
