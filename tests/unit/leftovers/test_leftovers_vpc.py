"""Resources of others in a VPC, without the stack's tag, that block its deletion."""

from typing import Any

import pytest

from tests.fakes.aws_wire import Wire
from tests.fakes.planted_aws import MARK, OURS
from tests.support import leftovers_asking
from tests.support.leftovers_asking import Ask, Gardens

pytestmark = pytest.mark.emulated_aws

# Fixtures are found in the module that uses them.
session, garden = leftovers_asking.session, leftovers_asking.garden
wire, ask = leftovers_asking.wire, leftovers_asking.ask

REGION = "ap-southeast-1"
UNSEEN = {
    "transit gateway attachment": "DescribeTransitGatewayVpcAttachments",
    "VPC peering connection": "DescribeVpcPeeringConnections",
}


@pytest.fixture(scope="module")
def kept(garden: Gardens) -> dict[str, str]:
    """The stack's VPC and subnet, with GuardDuty's endpoint and group and another interface in it."""
    gardener = garden(REGION)
    gardener.network(MARK)
    group = gardener.security_group({}, f"GuardDutyManagedSecurityGroup-{gardener.vpc}")
    endpoint = gardener.client("ec2").create_vpc_endpoint(
        VpcId=gardener.vpc,
        VpcEndpointType="Interface",
        SubnetIds=[gardener.subnet],
        ServiceName=f"com.amazonaws.{REGION}.guardduty-data",
    )["VpcEndpoint"]["VpcEndpointId"]
    stranger = gardener.interface({"Name": "someone-s"}, "ELB app/theirs/1f")
    gardener.interface(MARK)
    return {
        "vpc": gardener.vpc,
        "subnet": gardener.subnet,
        "group": group,
        "endpoint": endpoint,
        "stranger": stranger,
    }


def test_blockers_of_the_vpc_are_reported_with_their_owner(ask: Ask, kept: dict[str, str]) -> None:
    said = ask(REGION).json
    guardduty = "GuardDuty's runtime monitoring, which creates it again as long as the VPC has instances"
    # Moto's endpoint interface lacks the description that it has on AWS.
    reported = [one for one in said["in_the_way"] if one["made_by"] != "AWS does not show the owner"]
    assert {(one["kind"], one["id"], one["made_by"]) for one in reported} == {
        ("VPC endpoint", kept["endpoint"], guardduty),
        ("security group", kept["group"], guardduty),
        ("network interface", kept["stranger"], "someone-s; ELB app/theirs/1f"),
    }
    assert {one["vpc"] for one in said["in_the_way"]} == {kept["vpc"]}
    commands = {one["id"]: one["commands"] for one in said["in_the_way"]}
    assert commands[kept["endpoint"]] == [
        f"aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {kept['endpoint']} --region {REGION}"
    ]
    assert commands[kept["group"]] == [f"aws ec2 delete-security-group --group-id {kept['group']} --region {REGION}"]
    assert commands[kept["stranger"]] == []
    # The stack's own resources are listed only once, with the leftovers.
    left = {one["id"] for one in said["left"]}
    assert not left & set(commands)
    assert {kept["vpc"], kept["subnet"]} < left


def test_blockers_are_printed_after_the_leftovers(ask: Ask, kept: dict[str, str]) -> None:
    out = ask(REGION, as_json=False).out
    assert "Resources of others in the stack's VPC, which must be removed before the VPC:\n" in out
    assert f"  network interface {kept['stranger']} in {kept['vpc']}: someone-s; ELB app/theirs/1f\n" in out


def test_without_permission_blockers_are_reported_as_not_listed(ask: Ask, wire: Wire, kept: dict[str, str]) -> None:
    for action in UNSEEN.values():
        wire.refused[f"ec2.{action}"] = ("", "UnauthorizedOperation")
    said = ask(REGION).json
    assert said["not_asked"] == [
        {"kind": f"{kind} of others", "reason": f"no permission for ec2:{action}"} for kind, action in UNSEEN.items()
    ]


def test_in_an_existing_vpc_blockers_are_not_searched(ask: Ask, garden: Gardens, wire: Wire) -> None:
    gardener = garden("eu-central-1")
    gardener.network({})
    gardener.interface({}, "theirs")
    assert ask("eu-central-1").json["in_the_way"] == []
    assert "ec2.DescribeVpnGateways" not in wire.calls


def test_a_running_stack_has_no_blockers(ask: Ask, wire: Wire, kept: dict[str, Any]) -> None:
    wire.pages["eks.ListClusters"] = [{"clusters": [OURS]}]
    wire.pages["eks.DescribeCluster"] = [{"cluster": {"status": "ACTIVE", "tags": {}}}]
    wire.pages["eks.ListNodegroups"] = [{"nodegroups": []}]
    assert ask(REGION).json["in_the_way"] == []
