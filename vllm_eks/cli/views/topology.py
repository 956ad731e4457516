"""A picture of the network, its zones, their nodes and GPUs, drawn from the registrations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from vllm_eks.cli.views.models import MAX_IN_FULL
from vllm_eks.cli.views.plan import gpu_lines, legend, node_contents
from vllm_eks.preview.mock_cloud import CLUSTER_COMPONENT, Registration
from vllm_eks.preview.recording import Recording
from vllm_eks.specs.endpoint import UNKNOWN_RANGE

SUBNET = "aws:ec2/subnet:Subnet"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
NAT_GATEWAY = "aws:ec2/natGateway:NatGateway"
INTERNET_GATEWAY = "aws:ec2/internetGateway:InternetGateway"
VPC_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
VPC = "aws:ec2/vpc:Vpc"
LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
MODEL_LABEL = "vllm-eks/model"


@dataclass(frozen=True)
class Subnet:
    """A subnet in the picture."""

    zone: str
    id: str
    label: str


def topology(recording: Recording, out: Console) -> Tree:
    """Return the picture: control plane, gateways, VPC, zones, subnets, node groups, nodes and GPUs."""
    root = Tree(Text(f"region {recording.region}", style="bold"))
    for line in _control_plane(recording):
        root.add(Text(line))
    existing = recording.existing_vpc
    name = f"{existing.vpc_id} (existing)" if existing else recording.of_type(VPC)[0].inputs["cidrBlock"]
    vpc = root.add(Text(f"VPC {name}", style="bold"))
    subnets = _subnets(recording)
    zone_of = {subnet.id: subnet.zone for subnet in subnets}
    for line in (*_ways_out(recording), *_load_balancer(recording), *_system_nodes(recording, zone_of)):
        vpc.add(Text(line))
    for zone in sorted(set(zone_of.values())):
        branch = vpc.add(Text(zone, style="bold"))
        for subnet in subnets:
            if subnet.zone == zone:
                node = branch.add(Text(subnet.label))
                for group in _groups(recording, of_models=True):
                    if subnet.id in group.inputs["subnetIds"]:
                        _add_group(node, group, recording, out)
    for line in _clients(recording):
        root.add(Text(line))
    if len(recording.fleet) <= MAX_IN_FULL:
        root.add(Text.assemble(*legend()))
    return root


def _control_plane(recording: Recording) -> Iterator[str]:
    made = recording.of_type(CLUSTER_COMPONENT)
    if not made:
        yield "EKS control plane: existing"
    for one in made:
        callers: Sequence[str] = one.inputs.get("publicAccessCidrs") or []
        reach = f"{', '.join(callers)} and the VPC" if callers else "the VPC only"
        yield (
            f"EKS control plane {one.inputs['name']}, Kubernetes {one.inputs['version']}: its API can be reached from "
            f"{reach}"
        )


def _ways_out(recording: Recording) -> Iterator[str]:
    if recording.of_type(INTERNET_GATEWAY):
        nat = len(recording.of_type(NAT_GATEWAY))
        gateways = "the NAT gateway" if nat == 1 else f"{nat} NAT gateways"
        public = any(not one.inputs["internal"] for one in recording.of_type(LOAD_BALANCER))
        inbound = "inbound traffic only to the load balancer" if public else "no inbound traffic"
        yield f"internet gateway: private subnets reach the internet through {gateways}; {inbound}"
    for one in recording.of_type(VPC_ENDPOINT):
        service = str(one.inputs["serviceName"]).rpartition(".")[2]
        yield f"{service.upper()} endpoint ({str(one.inputs['vpcEndpointType']).lower()}): traffic to it bypasses NAT"


def _load_balancer(recording: Recording) -> Iterator[str]:
    for one in recording.of_type(LOAD_BALANCER):
        rules = [one for one in recording.of_type(INGRESS_RULE) if one.inputs.get("cidrIpv4")]
        # Their addresses are outputs of another resource.
        nat = [one for one in rules if one.request.propertyDependencies["cidrIpv4"].urns]
        sources = ", ".join(sorted({str(rule.inputs["cidrIpv4"]) for rule in rules if rule not in nat}))
        if sources == UNKNOWN_RANGE and recording.existing_vpc is not None:
            sources = f"the ranges of {recording.existing_vpc.vpc_id}"
        kind = (
            "internal, in the private subnets" if one.inputs["internal"] else "on the internet, in the public subnets"
        )
        probe = ", and from the NAT gateways for the probe of the metrics" if nat else ""
        yield f"load balancer {kind}: accepts connections from {sources}{probe}"


def _system_nodes(recording: Recording, zone_of: Mapping[str, str]) -> Iterator[str]:
    for group in _groups(recording, of_models=False):
        zones = " and ".join(sorted(zone_of[subnet] for subnet in group.inputs["subnetIds"]))
        count = group.inputs["scalingConfig"]["desiredSize"]
        yield f"system nodes: {count} x {group.inputs['instanceTypes'][0]}, spread over {zones}"


def _clients(recording: Recording) -> Iterator[str]:
    """Yield how a request reaches each model."""
    models: Mapping[str, Mapping[str, str]] = recording.outputs.get("models") or {}
    inside = "http://NAME-api.vllm-NAME.svc.cluster.local:8000/v1, where NAME is the model's name"
    if recording.of_type(LOAD_BALANCER):
        for name, model in list(models.items())[:MAX_IN_FULL]:
            nodes = recording.fleet.get(name)
            whose = f"503, because {name} is parked" if nodes and nodes.parked else f"the least busy replica of {name}"
            yield f"clients of the load balancer call {model['endpoint']} -> {whose}"
        if len(models) > MAX_IN_FULL:
            others = "another model" if len(models) == MAX_IN_FULL + 1 else f"{len(models) - MAX_IN_FULL} other models"
            yield f"clients of the load balancer call {others} in the same way: pulumi stack output models prints all"
        yield f"clients in the cluster can also call {inside}"
        return
    if len(models) > MAX_IN_FULL:
        yield f"clients in the cluster call {inside}"
        return
    for name, model in models.items():
        yield f"clients in the cluster call {model['endpoint']} -> the first pod of each replica of {name}"
    if models:
        yield "clients outside the cluster use kubectl port-forward: pulumi stack output models prints the command"


def _groups(recording: Recording, *, of_models: bool) -> list[Registration]:
    groups = recording.of_type(NODE_GROUP)
    return [one for one in groups if (MODEL_LABEL in (one.inputs.get("labels") or {})) == of_models]


def _subnets(recording: Recording) -> list[Subnet]:
    if recording.existing_vpc is not None:
        subnets = recording.existing_vpc.private_subnets
        return [Subnet(zone, id_, f"private {id_} (existing)") for zone, id_ in subnets.items()]
    homes_of_nat = {gateway.inputs["subnetId"] for gateway in recording.of_type(NAT_GATEWAY)}
    found: list[Subnet] = []
    for one in recording.of_type(SUBNET):
        id_ = f"{one.name}-id"
        kind = "public" if "/role/elb" in str(one.inputs.get("tags")) else "private"
        label = f"{kind} {one.inputs['cidrBlock']}" + ("  NAT gateway" if id_ in homes_of_nat else "")
        found.append(Subnet(str(one.inputs["availabilityZone"]), id_, label))
    return found


def _add_group(branch: Tree, group: Registration, recording: Recording, out: Console) -> None:
    count = group.inputs["scalingConfig"]["desiredSize"]
    model = str(group.inputs["labels"][MODEL_LABEL])
    nodes = recording.fleet[model]
    share, instance_type = nodes.plan.in_one_zone, nodes.plan.instance.type
    if nodes.parked:
        branch.add(Text(f"{model}: parked, {share.nodes_per_zone} x {instance_type} when it runs", style="bold"))
        return
    drawn = branch.add(Text(f"{model}: {count} x {instance_type}, {nodes.kind}", style="bold"))
    if len(recording.fleet) > MAX_IN_FULL:
        return
    for index in range(count):
        node = drawn.add(Text(f"node {index + 1}  {node_contents(share, index)}"))
        for line in gpu_lines(share, index, out):
            node.add(Text.assemble(*line))
