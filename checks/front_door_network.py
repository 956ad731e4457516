"""Looks up the ranges of an existing VPC for a load balancer, and checks its public subnets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from checks.asking import Question, ask
from checks.existing_network import route_table
from checks.site import Site
from checks.subnet_addresses import LOAD_BALANCER_ADDRESSES, has_load_balancer
from vllm_eks.aws.session import Record
from vllm_eks.check import NOT_QUERIED, Check
from vllm_eks.specs.endpoint import NO_PROBE, UNKNOWN_RANGE, EndpointSpec

KEY = "endpoint.publicSubnets"
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class FoundRanges:
    """Ranges of an existing VPC."""

    vpc: Sequence[str]
    public_subnets: Mapping[str, str]
    """Subnet ID -> range."""
    nat_addresses: Sequence[str]
    """With /32. Only looked up for a probe of an internet-facing load balancer."""
    checks: Sequence[Check]


def find_ranges(endpoint: EndpointSpec, vpc_id: str, site: Site) -> FoundRanges:
    """Return the ranges of a VPC and of the load balancer's public subnets, with the subnets' checks."""
    vpc = _vpc_ranges(vpc_id, site)
    checks: list[Check] = [vpc] if isinstance(vpc, Check) else []
    ranges: dict[str, str] = {}
    for zone, subnet in endpoint.public_subnets.items():
        found = _subnet(subnet, site)
        if isinstance(found, Check):
            checks.append(found)
        else:
            ranges[subnet] = found["CidrBlock"]
            checks += _public_subnet_checks(found, vpc_id, zone, site)
    asks_for_nat = endpoint.probed and endpoint.internet_facing and not endpoint.lets_all_in
    nat = _nat_addresses(vpc_id, site) if asks_for_nat else []
    if endpoint.probed:
        checks += _probe_checks(endpoint, vpc_id, nat if endpoint.internet_facing else vpc)
    return FoundRanges(
        nat_addresses=[] if isinstance(nat, Check) else nat,
        vpc=[UNKNOWN_RANGE] if isinstance(vpc, Check) else vpc,
        public_subnets={subnet: ranges.get(subnet, UNKNOWN_RANGE) for subnet in endpoint.public_subnets.values()},
        checks=checks,
    )


def _vpc_ranges(vpc_id: str, site: Site) -> list[str] | Check:
    question = Question(
        subject=f"the ranges of {vpc_id}",
        actions="ec2:DescribeVpcs",
        command=f"aws ec2 describe-vpcs --vpc-ids {vpc_id} --region {site.region}",
    )

    def ranges() -> list[str]:
        (vpc,) = site.api.pages("ec2", "describe_vpcs", "Vpcs", VpcIds=[vpc_id])
        associated = vpc.get("CidrBlockAssociationSet", ())
        return sorted(one["CidrBlock"] for one in associated if one["CidrBlockState"]["State"] == "associated")

    return _needed(ask(question, ranges))


def _nat_addresses(vpc_id: str, site: Site) -> list[str] | Check:
    question = Question(
        subject="metrics may probe the load balancer",
        actions="ec2:DescribeNatGateways",
        command=f"aws ec2 describe-nat-gateways --filter Name=vpc-id,Values={vpc_id} --region {site.region}",
    )

    def addresses() -> list[str]:
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "state", "Values": ["available"]}]
        gateways = site.api.pages("ec2", "describe_nat_gateways", "NatGateways", Filter=filters)
        found = (one.get("PublicIp") for gateway in gateways for one in gateway.get("NatGatewayAddresses", ()))
        return sorted(f"{one}/32" for one in found if one)

    # Without an answer, an update would remove the probe and its alerts.
    return _needed(ask(question, addresses))


def _probe_checks(endpoint: EndpointSpec, vpc_id: str, sources: Sequence[str] | Check) -> Iterator[Check]:
    """Yield whether pods of the cluster may connect, which come from `sources`."""
    if isinstance(sources, Check):
        # The lookup of the VPC's ranges has reported its own.
        yield from [sources] if endpoint.internet_facing else []
        return
    open_inside = not endpoint.internet_facing and not endpoint.source_ranges
    if endpoint.lets_all_in or endpoint.lets_in(sources) or open_inside:
        return
    missing = [one for one in sources if not endpoint.lets_in([one])]
    whose = "the addresses of its NAT gateways" if endpoint.internet_facing else "its ranges"
    no_nat = f"{vpc_id} has no NAT gateway with a public address, so add the addresses with which its pods leave"
    fix = f"add {', '.join(missing)}, {whose}" if missing else no_nat
    yield Check(subject="endpoint.sourceRanges", status="warning", text=f"{NO_PROBE}: {fix}")


def _subnet(subnet: str, site: Site) -> Record | Check:
    command = f"aws ec2 describe-subnets --subnet-ids {subnet} --region {site.region}"
    question = Question(subject=f"{subnet} is public", actions="ec2:DescribeSubnets", command=command)
    found = ask(question, lambda: site.api.pages("ec2", "describe_subnets", "Subnets", SubnetIds=[subnet])[0])
    return _needed(found)


def _needed(answer: Found | Check) -> Found | Check:
    """Return an answer. Without one the stack cannot continue, except in an offline preview."""
    if isinstance(answer, Check) and not answer.text.startswith(NOT_QUERIED):
        return Check(subject=answer.subject, status="failed", text=answer.text)
    return answer


def _public_subnet_checks(found: Record, vpc_id: str, zone: str, site: Site) -> Iterator[Check]:
    id_, key = found["SubnetId"], f"{KEY}.{zone}"
    errors: list[str] = []
    if found["VpcId"] != vpc_id:
        errors.append(f"{id_} is in {found['VpcId']}, not in {vpc_id}")
    if found["AvailabilityZone"] != zone:
        errors.append(f"{id_} is in {found['AvailabilityZone']}, not in {zone}")
    free = found["AvailableIpAddressCount"]
    if free < LOAD_BALANCER_ADDRESSES and not has_load_balancer(id_, site):
        needed = f"a load balancer needs {LOAD_BALANCER_ADDRESSES}"
        errors.append(f"{id_} has {free} free addresses, and {needed}: use another one")
    yield from (Check(subject=key, status="failed", text=text) for text in errors)
    question = Question(
        subject=f"{id_} is public",
        actions="ec2:DescribeRouteTables",
        command=f"aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={id_} "
        f"--region {site.region}",
    )
    table = ask(question, lambda: route_table(found, site))
    if isinstance(table, Check):
        yield table
    elif not any(str(route.get("GatewayId", "")).startswith("igw-") for route in table["Routes"]):
        text = f"{id_} is private: {table['RouteTableId']} has no route to an internet gateway; use a public subnet"
        yield Check(subject=key, status="failed", text=text)
    elif not errors:
        yield Check(subject=question.subject, status="passed", text=f"{found['CidrBlock']}, with an internet gateway")
