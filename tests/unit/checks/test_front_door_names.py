"""Checks of the hosted zone, of records, and of an existing VPC's subnets, against moto."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from checks.front_door_names import record_checks, zone_check
from checks.front_door_network import FoundRanges, find_ranges
from tests.fakes.aws_account import STACK, Account
from tests.support.front_doors import spec
from vllm_eks.check import Check

pytestmark = pytest.mark.usefixtures("moto_account")


@pytest.fixture(scope="module")
def vpc(moto_account: None) -> Iterator[dict[str, str]]:
    """A VPC with two public subnets and a private one, and a load balancer of the stack."""
    ec2, elb = boto3.client("ec2", "us-west-2"), boto3.client("elbv2", "us-west-2")
    vpc_id = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = {
        name: ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for name, cidr, zone in (
            ("public-a", "10.9.1.0/24", "us-west-2a"),
            ("public-b", "10.9.2.0/24", "us-west-2b"),
            ("private-b", "10.9.3.0/24", "us-west-2b"),
        )
    }
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    table = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for name in ("public-a", "public-b"):
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[name])
    balancer = elb.create_load_balancer(
        Name="own",
        Subnets=[subnets["public-a"], subnets["public-b"]],
        Tags=[{"Key": "vllm-eks/stack", "Value": STACK}],
    )["LoadBalancers"][0]
    yield {"vpc": vpc_id, **subnets, "balancer": balancer["DNSName"]}
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])


def zone(name: str = "models.example.com", **options: Any) -> str:
    made = boto3.client("route53").create_hosted_zone(Name=name, CallerReference=name + str(options), **options)
    return made["HostedZone"]["Id"].removeprefix("/hostedzone/")


def private(vpc_id: str) -> dict[str, Any]:
    return {"HostedZoneConfig": {"PrivateZone": True}, "VPC": {"VPCRegion": "us-west-2", "VPCId": vpc_id}}


def asked(zone_id: str, vpc_id: str | None = None, **changes: Any) -> Check:
    check = zone_check(spec(hosted_zone_id=zone_id, **changes), vpc_id, Account().site)
    assert check
    return check


def test_the_zone_is_the_domain_s_or_a_parent_s() -> None:
    for name in ("models.example.com", "example.com"):
        zone_id = zone(name)
        assert asked(zone_id) == Check(
            subject=f"the hosted zone {zone_id} is that of models.example.com",
            status="passed",
            text=f"the public zone {name}",
        )


@pytest.mark.parametrize("name", ["example.org", "odels.example.com", "qwen3.models.example.com"])
def test_the_zone_of_another_domain_is_an_error(name: str) -> None:
    zone_id = zone(name)
    assert asked(zone_id) == Check(
        subject="endpoint.hostedZoneId",
        status="failed",
        text=f"{zone_id} is the zone of {name}, and endpoint.domain is models.example.com: use its zone, or no zone",
    )


def test_a_hostname_beside_the_domain_needs_the_zone_of_both() -> None:
    hostnames = {"qwen3": "qwen3.models.example.com", "chat": "chat.example.com"}
    parent, own = zone("example.com", HostedZoneConfig={"Comment": "both"}), zone(HostedZoneConfig={"Comment": "one"})

    assert asked(parent, hostnames=hostnames).text == "the public zone example.com"
    assert asked(own, hostnames=hostnames) == Check(
        subject="endpoint.hostedZoneId",
        status="failed",
        text=f"{own} is the zone of models.example.com, which has no records of chat.example.com: use hostnames in "
        "models.example.com, or the zone of a domain that contains all names",
    )


def test_a_private_zone_is_for_internal_load_balancers_of_its_vpc(vpc: dict[str, str]) -> None:
    zone_id = zone("models.example.com", **private(vpc["vpc"]))
    associate = (
        f"aws route53 associate-vpc-with-hosted-zone --hosted-zone-id {zone_id} --vpc VPCRegion=us-west-2,VPCId="
    )

    assert asked(zone_id, vpc["vpc"]).text == f"the private zone models.example.com, associated with {vpc['vpc']}"
    public = asked(zone_id, vpc["vpc"], scheme="internetFacing")
    assert (public.status, public.text) == (
        "failed",
        f"{zone_id} is private, and clients on the internet do not see it: use the public zone of models.example.com",
    )
    other = asked(zone_id, "vpc-0123456789abcdef9")
    assert (other.status, other.text) == (
        "failed",
        f"{zone_id} is private and not associated with vpc-0123456789abcdef9, where no name would resolve: "
        f"{associate}vpc-0123456789abcdef9",
    )
    new = asked(zone_id)
    assert (new.status, new.text) == (
        "warning",
        f"{zone_id} is private, and no name resolves in the new VPC until you associate it: {associate}<the new VPC>",
    )


def test_a_zone_that_does_not_exist_is_an_error_and_one_that_is_hidden_is_unknown() -> None:
    missing = asked("Z0000000000000")
    assert (missing.status, missing.text) == (
        "failed",
        "Z0000000000000 does not exist in this account: use the ID of the zone of models.example.com (aws route53 "
        "list-hosted-zones)",
    )
    hidden = zone_check(spec(hosted_zone_id="Z1"), None, Account(denied=frozenset({"*"})).site)
    assert hidden
    assert hidden.status == "unknown"


def records(zone_id: str, kind: str, **content: Any) -> Check:
    change = {"Name": "qwen3.models.example.com", "Type": kind, **content}
    boto3.client("route53").change_resource_record_sets(
        HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": change}]}
    )
    (check,) = record_checks(spec(hosted_zone_id=zone_id), Account().site)
    return check


def test_a_free_name_passes_and_a_taken_one_is_an_error() -> None:
    zone_id = zone("models.example.com", HostedZoneConfig={"Comment": "records", "PrivateZone": False})
    (free,) = record_checks(spec(hosted_zone_id=zone_id), Account().site)
    assert free.status == "passed"

    taken = records(zone_id, "CNAME", TTL=60, ResourceRecords=[{"Value": "other.example.net"}])

    assert taken == Check(
        subject="endpoint.domain",
        status="failed",
        text="qwen3.models.example.com has a record already, which leads to other.example.net: delete it, or set "
        "another hostname",
    )


def test_the_stack_s_own_record_is_no_error(vpc: dict[str, str]) -> None:
    zone_id = zone("models.example.com", HostedZoneConfig={"Comment": "own", "PrivateZone": False})
    target = {"HostedZoneId": "Z1H1FL5HABSF5", "EvaluateTargetHealth": False}

    own = records(zone_id, "A", AliasTarget={**target, "DNSName": f"dualstack.{vpc['balancer']}."})
    other = records(zone_id, "A", AliasTarget={**target, "DNSName": "other.us-west-2.elb.amazonaws.com."})

    assert (own.status, other.status) == ("passed", "failed")


def ranges(vpc: dict[str, str], site: Any = None, **subnets: str) -> FoundRanges:
    endpoint = spec(public_subnets={f"us-west-2{letter}": vpc[name] for letter, name in subnets.items()})
    return find_ranges(endpoint, vpc["vpc"], site or Account().site)


def test_the_ranges_of_a_vpc_and_its_public_subnets_are_found(vpc: dict[str, str]) -> None:
    found = ranges(vpc, a="public-a", b="public-b")

    assert found.vpc == ["10.9.0.0/16"]
    assert found.public_subnets == {vpc["public-a"]: "10.9.1.0/24", vpc["public-b"]: "10.9.2.0/24"}
    assert [(check.status, check.text) for check in found.checks] == [
        ("passed", "10.9.1.0/24, with an internet gateway"),
        ("passed", "10.9.2.0/24, with an internet gateway"),
    ]


def test_a_private_subnet_and_one_of_another_zone_are_errors(vpc: dict[str, str]) -> None:
    texts = [check.text for check in ranges(vpc, a="public-b", b="private-b").checks if check.status == "failed"]

    assert texts[0] == f"{vpc['public-b']} is in us-west-2b, not in us-west-2a"
    assert texts[1].startswith(f"{vpc['private-b']} is private: rtb-")
    assert texts[1].endswith(" has no route to an internet gateway; use a public subnet")


def test_a_full_subnet_is_an_error(vpc: dict[str, str]) -> None:
    full = {
        "Subnets": [
            {
                "SubnetId": vpc["public-a"],
                "VpcId": vpc["vpc"],
                "AvailabilityZone": "us-west-2a",
                "CidrBlock": "10.9.1.0/28",
                "AvailableIpAddressCount": 7,
            }
        ]
    }
    none = {"DescribeLoadBalancers": {"LoadBalancers": []}}
    found, running = (
        ranges(vpc, Account(answers={"DescribeSubnets": full, **balancers}).site, a="public-a")
        for balancers in (none, {})
    )

    assert [check.text for check in found.checks if check.status == "failed"] == [
        f"{vpc['public-a']} has 7 free addresses, and a load balancer needs 8: use another one"
    ]
    assert {check.status for check in running.checks} == {"passed"}, "it has its addresses already"


def test_without_the_ranges_the_stack_cannot_continue(vpc: dict[str, str]) -> None:
    found = ranges(vpc, Account(denied=frozenset({"DescribeVpcs"})).site)

    assert [(check.status, check.text) for check in found.checks] == [
        (
            "failed",
            f"no permission: allow ec2:DescribeVpcs, or run aws ec2 describe-vpcs --vpc-ids {vpc['vpc']} --region "
            "us-west-2",
        )
    ]
