"""A VPC and subnets that are there already: found, and looked at, before anything is made in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi_aws as aws

from checks.asking import Question, ask
from checks.result import Check

CONTROL_PLANE_ADDRESSES = 16
"""EKS asks for 6 free addresses in each subnet of a control plane and recommends 16 (EKS user guide)."""
ADDRESSES_PER_NODE = 10
"""Our estimate of what a GPU node, its pods and their spares take at least; the CNI takes more where there is more."""
KEY = "network.existing"


@dataclass(frozen=True, kw_only=True)
class NetworkWish:
    """What the stack file says of an existing network."""

    vpc_id: str
    zones: Sequence[str]
    subnets: Mapping[str, str] = field(default_factory=dict)
    """Zone -> id of its private subnet; where empty, `subnet_tags` find them."""
    subnet_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FoundNetwork:
    """The subnets to use, and what there is to say about them."""

    private_subnets: Mapping[str, str]
    """Zone -> subnet id. In an offline preview an id may be a placeholder."""
    checks: Sequence[Check]


def find_network(wish: NetworkWish, nodes_by_zone: Mapping[str, int], region: str) -> FoundNetwork:
    """Return the private subnet of each zone, with the checks of VPC, zones, addresses and routes.

    Args:
        wish: What the stack file says.
        nodes_by_zone: GPU nodes that will run in each zone.
        region: The stack's region.
    """
    subnets = {zone: _subnet(wish, zone, region) for zone in wish.zones}
    checks = [*_vpc(wish, region)]
    for zone, found in subnets.items():
        if isinstance(found, Check):
            checks.append(found)
        else:
            checks += _subnet_checks(found, wish, zone, nodes_by_zone.get(zone, 0), region)
    ids = {
        zone: wish.subnets.get(zone, f"subnet-of-{zone}") if isinstance(found, Check) else found.id
        for zone, found in subnets.items()
    }
    return FoundNetwork(private_subnets=ids, checks=checks)


def _subnet(wish: NetworkWish, zone: str, region: str) -> aws.ec2.AwaitableGetSubnetResult | Check:
    given = wish.subnets.get(zone)
    if given:
        command = f"aws ec2 describe-subnets --subnet-ids {given} --region {region}"
        question = Question(subject=f"{given} suits {zone}", actions="ec2:DescribeSubnets", command=command)
        return ask(question, lambda: aws.ec2.get_subnet(id=given))
    filters = {
        "vpc-id": wish.vpc_id,
        "availability-zone": zone,
        **{f"tag:{key}": text for key, text in wish.subnet_tags.items()},
    }
    listed = " ".join(f"Name={name},Values={text}" for name, text in filters.items())
    question = Question(
        subject=f"one subnet of {zone} has the tags",
        actions="ec2:DescribeSubnets",
        command=f"aws ec2 describe-subnets --filters {listed} --region {region}",
    )
    asked: list[aws.ec2.GetSubnetsFilterArgsDict] = [{"name": name, "values": [text]} for name, text in filters.items()]
    found = ask(question, lambda: aws.ec2.get_subnets(filters=asked))
    if isinstance(found, Check):
        # Without its id there is nothing to build on; only an offline preview goes on all the same.
        return found if found.text.startswith("not asked") else _failed(f"{KEY}.subnetTags", f"{zone}: {found.text}")
    if len(found.ids) != 1:
        which = f"{len(found.ids)} subnets ({', '.join(sorted(found.ids))})" if found.ids else "no subnet"
        tags = ", ".join(f"{key}={text}" for key, text in wish.subnet_tags.items())
        text = f"{which} of {wish.vpc_id} in {zone} {'have' if len(found.ids) > 1 else 'has'} the tags {tags}; exactly "
        return _failed(f"{KEY}.subnetTags", text + "one is needed: write subnets with their ids, or other tags")
    return ask(question, lambda: aws.ec2.get_subnet(id=found.ids[0]))


def _vpc(wish: NetworkWish, region: str) -> Iterator[Check]:
    command = f"aws ec2 describe-vpc-attribute --attribute enableDnsHostnames --vpc-id {wish.vpc_id} --region {region}"
    question = Question(
        subject=f"{wish.vpc_id} resolves names", actions="ec2:DescribeVpcs, ec2:DescribeVpcAttribute", command=command
    )
    found = ask(question, lambda: aws.ec2.get_vpc(id=wish.vpc_id))
    if isinstance(found, Check):
        yield found
    elif not (found.enable_dns_hostnames and found.enable_dns_support):
        off = [
            name
            for name, on in (
                ("enableDnsHostnames", found.enable_dns_hostnames),
                ("enableDnsSupport", found.enable_dns_support),
            )
            if not on
        ]
        text = f"{wish.vpc_id} has {' and '.join(off)} off, and nodes find the control plane by name: turn it on"
        yield _failed(f"{KEY}.vpcId", text)
    else:
        yield Check(subject=question.subject, status="passed", text="DNS support and hostnames are on")


def _subnet_checks(
    found: aws.ec2.AwaitableGetSubnetResult, wish: NetworkWish, zone: str, nodes: int, region: str
) -> Iterator[Check]:
    key = f"{KEY}.subnets.{zone}" if wish.subnets else f"{KEY}.subnetTags"
    needed = CONTROL_PLANE_ADDRESSES + nodes * ADDRESSES_PER_NODE
    faults = []
    if found.vpc_id != wish.vpc_id:
        faults.append(f"{found.id} is in {found.vpc_id}, not in {wish.vpc_id}")
    if found.availability_zone != zone:
        faults.append(f"{found.id} is in {found.availability_zone}, not in {zone}")
    if found.available_ip_address_count < needed:
        faults.append(
            f"{found.id} has {found.available_ip_address_count} free addresses, and {nodes} GPU nodes beside the "
            f"control plane need {needed} or more"
        )
    yield from (_failed(key, text) for text in faults)
    route = _route(found, key, region)
    yield route
    if not faults and route.status == "passed":
        text = f"{found.available_ip_address_count} free addresses of {found.cidr_block}; {route.text}"
        yield Check(subject=f"{found.id} suits {zone}", status="passed", text=text)


def _route(subnet: aws.ec2.AwaitableGetSubnetResult, key: str, region: str) -> Check:
    question = Question(
        subject=f"{subnet.id} has a way out",
        actions="ec2:DescribeRouteTables",
        command="aws ec2 describe-route-tables "
        f"--filters Name=association.subnet-id,Values={subnet.id} --region {region}",
    )
    table = ask(question, lambda: _route_table(subnet))
    if isinstance(table, Check):
        return table
    ways = [route for route in table.routes if route.cidr_block == "0.0.0.0/0"]
    if not ways:
        text = f"{subnet.id} has no route to 0.0.0.0/0 (in {table.route_table_id}), and nodes fetch images and weights "
        return _failed(key, text + "from outside: add one, to a NAT gateway say")
    (way,) = ways
    if (way.gateway_id or "").startswith("igw-"):
        text = f"{subnet.id} is public (0.0.0.0/0 goes to {way.gateway_id}), and nodes have no public address: "
        return _failed(key, text + "give a private subnet, whose way out is a NAT gateway")
    target = way.nat_gateway_id or way.transit_gateway_id or way.network_interface_id or way.gateway_id or "somewhere"
    return Check(subject=question.subject, status="passed", text=f"0.0.0.0/0 goes to {target}")


def _route_table(subnet: aws.ec2.AwaitableGetSubnetResult) -> aws.ec2.AwaitableGetRouteTableResult:
    try:
        return aws.ec2.get_route_table(subnet_id=subnet.id)
    except Exception:
        # A subnet without a table of its own uses its VPC's main one.
        main: list[aws.ec2.GetRouteTableFilterArgsDict] = [{"name": "association.main", "values": ["true"]}]
        return aws.ec2.get_route_table(vpc_id=subnet.vpc_id, filters=main)


def _failed(key: str, text: str) -> Check:
    return Check(subject=key, status="failed", text=text)
