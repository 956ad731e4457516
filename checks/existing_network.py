"""Looks up an existing VPC with its subnets, and checks them before the stack uses them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from checks.asking import Question, ask
from checks.site import Site
from checks.subnet_addresses import AddressRequest, address_check
from vllm_eks.aws.session import Record
from vllm_eks.check import NOT_QUERIED, Check
from vllm_eks.specs.network import ExistingVpcSpec

KEY = "network.existing"


@dataclass(frozen=True, kw_only=True)
class NetworkRequest:
    """The existing network in the stack file."""

    vpc: ExistingVpcSpec
    zones: Sequence[str]
    nodes: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """Zone -> the instance type of each GPU node that will run there."""
    has_control_plane: bool = True
    """Whether the stack creates its cluster in the subnets."""
    has_load_balancer: bool = False
    """Whether the stack creates its load balancer in the subnets."""


@dataclass(frozen=True, kw_only=True)
class FoundNetwork:
    """The subnets to use, and their checks."""

    private_subnets: Mapping[str, str]
    """Zone -> subnet id. In an offline preview an id may be a placeholder."""
    checks: Sequence[Check]
    ranges: Mapping[str, str] = field(default_factory=dict[str, str])
    """Subnet ID -> IPv4 range, of the subnets that were found."""


def find_network(requested: NetworkRequest, site: Site) -> FoundNetwork:
    """Return the private subnet of each zone, with the checks of VPC, zones, addresses and routes."""
    subnets = {zone: _subnet(requested, zone, site) for zone in requested.zones}
    checks = [*_vpc(requested.vpc.vpc_id, site)]
    for zone, found in subnets.items():
        if isinstance(found, Check):
            checks.append(found)
        else:
            checks += _subnet_checks(found, requested, zone, site)
    ids = {
        zone: requested.vpc.subnets.get(zone, f"subnet-of-{zone}") if isinstance(found, Check) else found["SubnetId"]
        for zone, found in subnets.items()
    }
    ranges = {found["SubnetId"]: found["CidrBlock"] for found in subnets.values() if not isinstance(found, Check)}
    return FoundNetwork(private_subnets=ids, checks=checks, ranges=ranges)


def _subnet(requested: NetworkRequest, zone: str, site: Site) -> Record | Check:
    given = requested.vpc.subnets.get(zone)
    if given:
        command = f"aws ec2 describe-subnets --subnet-ids {given} --region {site.region}"
        question = Question(subject=f"{given} suits {zone}", actions="ec2:DescribeSubnets", command=command)
        return ask(question, lambda: site.api.pages("ec2", "describe_subnets", "Subnets", SubnetIds=[given])[0])
    filters = {
        "vpc-id": requested.vpc.vpc_id,
        "availability-zone": zone,
        **{f"tag:{key}": text for key, text in requested.vpc.subnet_tags.items()},
    }
    listed = " ".join(f"Name={name},Values={text}" for name, text in filters.items())
    question = Question(
        subject=f"one subnet of {zone} has the tags",
        actions="ec2:DescribeSubnets",
        command=f"aws ec2 describe-subnets --filters {listed} --region {site.region}",
    )
    asked = [{"Name": name, "Values": [text]} for name, text in filters.items()]
    found = ask(question, lambda: site.api.pages("ec2", "describe_subnets", "Subnets", Filters=asked))
    if isinstance(found, Check):
        # The stack cannot continue without the id, except in an offline preview.
        return found if found.text.startswith(NOT_QUERIED) else _failed(f"{KEY}.subnetTags", f"{zone}: {found.text}")
    if len(found) != 1:
        ids = ", ".join(sorted(one["SubnetId"] for one in found))
        which = f"{len(found)} subnets ({ids})" if found else "no subnet"
        tags = ", ".join(f"{key}={text}" for key, text in requested.vpc.subnet_tags.items())
        text = f"{which} of {requested.vpc.vpc_id} in {zone} {'have' if len(found) > 1 else 'has'} the tags {tags}; "
        return _failed(f"{KEY}.subnetTags", text + "exactly one is needed: set the ids in subnets, or use other tags")
    return found[0]


def _vpc(vpc_id: str, site: Site) -> Iterator[Check]:
    command = f"aws ec2 describe-vpc-attribute --attribute enableDnsHostnames --vpc-id {vpc_id} --region {site.region}"
    question = Question(subject=f"{vpc_id} resolves names", actions="ec2:DescribeVpcAttribute", command=command)

    def disabled() -> list[str]:
        asked = ("enableDnsHostnames", "enableDnsSupport")
        answers = {
            name: site.api.answer("ec2", "describe_vpc_attribute", VpcId=vpc_id, Attribute=name) for name in asked
        }
        return [name for name, answer in answers.items() if not answer[name[0].upper() + name[1:]]["Value"]]

    off = ask(question, disabled)
    if isinstance(off, Check):
        yield off
    elif off:
        text = f"{vpc_id} has {' and '.join(off)} off, and nodes need DNS to find the control plane: turn it on"
        yield _failed(f"{KEY}.vpcId", text)
    else:
        yield Check(subject=question.subject, status="passed", text="DNS support and hostnames are on")


def _subnet_checks(found: Record, requested: NetworkRequest, zone: str, site: Site) -> Iterator[Check]:
    key = f"{KEY}.subnets.{zone}" if requested.vpc.subnets else f"{KEY}.subnetTags"
    id_ = found["SubnetId"]
    errors: list[str] = []
    if found["VpcId"] != requested.vpc.vpc_id:
        errors.append(f"{id_} is in {found['VpcId']}, not in {requested.vpc.vpc_id}")
    if found["AvailabilityZone"] != zone:
        errors.append(f"{id_} is in {found['AvailabilityZone']}, not in {zone}")
    yield from (_failed(key, text) for text in errors)
    needed = AddressRequest(
        node_types=requested.nodes.get(zone, ()),
        has_control_plane=requested.has_control_plane,
        has_load_balancer=requested.has_load_balancer,
    )
    addresses = address_check(found, needed, key, site)
    if addresses:
        yield addresses
    route = _route(found, key, site)
    yield route
    if not errors and not addresses and route.status == "passed":
        text = f"{found['AvailableIpAddressCount']} free addresses of {found['CidrBlock']}; {route.text}"
        yield Check(subject=f"{id_} suits {zone}", status="passed", text=text)


def _route(subnet: Record, key: str, site: Site) -> Check:
    id_ = subnet["SubnetId"]
    question = Question(
        subject=f"{id_} has a route to the internet",
        actions="ec2:DescribeRouteTables",
        command=f"aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={id_} "
        f"--region {site.region}",
    )
    table = ask(question, lambda: route_table(subnet, site))
    if isinstance(table, Check):
        return table
    defaults = [route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    if not defaults:
        text = f"{id_} has no route to 0.0.0.0/0 (in {table['RouteTableId']}), and nodes download images and weights "
        return _failed(key, text + "from the internet: add a route, for example to a NAT gateway")
    (default,) = defaults
    target = next((default[name] for name in ROUTE_TARGETS if default.get(name)), "an unknown target")
    if target.startswith("igw-"):
        text = f"{id_} is public (0.0.0.0/0 goes to {target}), and nodes have no public address: "
        return _failed(key, text + "use a private subnet with a route to a NAT gateway")
    if default.get("State") == "blackhole":
        text = f"{id_} has no working route to 0.0.0.0/0: {target} does not exist: correct the route"
        return _failed(key, text)
    return Check(subject=question.subject, status="passed", text=f"0.0.0.0/0 goes to {target}")


ROUTE_TARGETS = (
    "NatGatewayId",
    "TransitGatewayId",
    "NetworkInterfaceId",
    "GatewayId",
    "VpcPeeringConnectionId",
    "LocalGatewayId",
    "CoreNetworkArn",
)


def route_table(subnet: Record, site: Site) -> Record:
    """Return the route table of a subnet. Raises boto3's errors."""

    def tables(by: Mapping[str, str]) -> list[Record]:
        filters = [{"Name": name, "Values": [text]} for name, text in by.items()]
        return site.api.pages("ec2", "describe_route_tables", "RouteTables", Filters=filters)

    # A subnet without its own route table uses the main one of its VPC.
    found = tables({"association.subnet-id": subnet["SubnetId"]})
    return (found or tables({"vpc-id": subnet["VpcId"], "association.main": "true"}))[0]


def _failed(key: str, text: str) -> Check:
    return Check(subject=key, status="failed", text=text)
