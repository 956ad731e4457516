"""Existing networks in a moto account: each error with its exact text."""

from dataclasses import dataclass
from typing import Any

import pytest

from checks.existing_network import FoundNetwork, NetworkRequest, find_network
from tests.fakes import aws_account as account_module
from tests.fakes.aws_account import Account
from tests.support.nested import replaced
from vllm_eks.check import Check
from vllm_eks.specs.network import ExistingVpcSpec

pytestmark = [pytest.mark.usefixtures("moto_account"), pytest.mark.emulated_aws]

ZONES = ("us-west-2a", "us-west-2b")
NODES = {"us-west-2a": ["g5.48xlarge"] * 2}


@dataclass(frozen=True)
class Place:
    """A VPC with a private subnet in each zone and a NAT gateway."""

    vpc: str
    subnets: dict[str, str]
    tables: dict[str, str]
    nat: str
    internet_gateway: str

    @property
    def requested(self) -> NetworkRequest:
        return NetworkRequest(vpc=ExistingVpcSpec(vpc_id=self.vpc, subnets=self.subnets), zones=ZONES, nodes=NODES)


@pytest.fixture
def client() -> Any:
    return account_module.client_of("ec2", "us-west-2")


@pytest.fixture
def place(client: Any) -> Place:
    vpc = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    client.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = client.allocate_address(Domain="vpc")["AllocationId"]
    subnets, tables, nat = {}, {}, ""
    for number, zone in enumerate(ZONES):
        subnet = client.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        subnets[zone] = subnet["Subnet"]["SubnetId"]
        client.create_tags(Resources=[subnets[zone]], Tags=[{"Key": "tier", "Value": "private"}])
        nat = (
            nat or client.create_nat_gateway(SubnetId=subnets[zone], AllocationId=address)["NatGateway"]["NatGatewayId"]
        )
        tables[zone] = client.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        client.associate_route_table(RouteTableId=tables[zone], SubnetId=subnets[zone])
        client.create_route(RouteTableId=tables[zone], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    return Place(vpc=vpc, subnets=subnets, tables=tables, nat=nat, internet_gateway=gateway)


def found(requested: NetworkRequest, account: Account | None = None) -> FoundNetwork:
    return find_network(requested, (account or Account()).site)


def failures(checks: Any) -> dict[str, str]:
    return {check.subject: check.text for check in checks if check.status == "failed"}


# --- networks


def test_a_suitable_network_passes_and_its_subnets_are_used(place: Place) -> None:
    network = found(place.requested)
    assert network.private_subnets == place.subnets
    assert network.checks[0] == Check(
        subject=f"{place.vpc} resolves names", status="passed", text="DNS support and hostnames are on"
    )
    free = 251 - 1  # of a /24, minus the NAT gateway's
    assert Check(
        subject=f"{place.subnets['us-west-2a']} suits us-west-2a",
        status="passed",
        text=f"{free} free addresses of 10.0.0.0/24; 0.0.0.0/0 goes to {place.nat}",
    ) in list(network.checks)
    assert {check.status for check in network.checks} == {"passed"}


def test_subnets_are_found_by_their_tags(place: Place) -> None:
    requested = replaced(place.requested, subnets={}, subnet_tags={"tier": "private"})
    assert found(requested).private_subnets == place.subnets


def test_tags_that_name_no_subnet_or_two_are_refused(place: Place, client: Any) -> None:
    other = client.create_subnet(VpcId=place.vpc, CidrBlock="10.0.9.0/24", AvailabilityZone="us-west-2b")
    twin = other["Subnet"]["SubnetId"]
    client.create_tags(Resources=[twin], Tags=[{"Key": "tier", "Value": "private"}])
    requested = replaced(place.requested, subnets={}, subnet_tags={"tier": "private"}, zones=(*ZONES, "us-west-2c"))
    both = ", ".join(sorted([twin, place.subnets["us-west-2b"]]))
    texts = [check.text for check in found(requested).checks if check.status == "failed"]
    assert texts == [
        f"2 subnets ({both}) of {place.vpc} in us-west-2b have the tags tier=private; exactly one is needed: set the "
        "ids in subnets, or use other tags",
        f"no subnet of {place.vpc} in us-west-2c has the tags tier=private; exactly one is needed: set the "
        "ids in subnets, or use other tags",
    ]


def test_without_permission_ids_are_unknown_and_tags_fail(place: Place) -> None:
    denied = Account(denied=frozenset({"*"}))
    by_id = found(place.requested, denied)
    assert by_id.private_subnets == place.subnets
    assert {check.status for check in by_id.checks} == {"unknown"}
    assert by_id.checks[1].text == (
        "no permission: allow ec2:DescribeSubnets, or run aws ec2 describe-subnets --subnet-ids "
        f"{place.subnets['us-west-2a']} --region us-west-2"
    )
    by_tag = found(replaced(place.requested, subnets={}, subnet_tags={"tier": "private"}), denied)
    assert failures(by_tag.checks) == {
        "network.existing.subnetTags": "us-west-2b: no permission: allow ec2:DescribeSubnets, or run aws ec2 "
        f"describe-subnets --filters Name=vpc-id,Values={place.vpc} Name=availability-zone,Values=us-west-2b "
        "Name=tag:tier,Values=private --region us-west-2"
    }


def test_a_subnet_of_another_zone_or_vpc_is_refused(place: Place, client: Any) -> None:
    other_vpc = client.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = client.create_subnet(VpcId=other_vpc, CidrBlock="10.1.0.0/24", AvailabilityZone="us-west-2c")
    stranger = subnet["Subnet"]["SubnetId"]
    network = found(replaced(place.requested, subnets={**place.subnets, "us-west-2b": stranger}))
    texts = [check.text for check in network.checks if check.status == "failed"]
    assert texts[:2] == [
        f"{stranger} is in {other_vpc}, not in {place.vpc}",
        f"{stranger} is in us-west-2c, not in us-west-2b",
    ]


def test_too_few_free_addresses_are_refused_with_the_number_needed(place: Place, client: Any) -> None:
    subnet = client.create_subnet(VpcId=place.vpc, CidrBlock="10.0.8.0/28", AvailabilityZone="us-west-2a")
    small = subnet["Subnet"]["SubnetId"]
    client.associate_route_table(RouteTableId=place.tables["us-west-2a"], SubnetId=small)
    network = found(replaced(place.requested, subnets={**place.subnets, "us-west-2a": small}))
    assert failures(network.checks) == {
        "network.existing.subnets.us-west-2a": f"{small} has 11 free addresses, and 2 more GPU nodes and the "
        "control plane need 126 or more (the VPC CNI takes up to 100 per node): free some, or use a larger subnet"
    }


def free_in(place: Place, count: int, account: Account | None = None, **requested: Any) -> list[Check]:
    """Return the checks of a network whose first subnet has this many free addresses."""
    subnet = place.subnets["us-west-2a"]
    asked = account or Account()
    listed = account_module.client_of("ec2", "us-west-2").describe_subnets(SubnetIds=[subnet])["Subnets"]
    asked.answers = {**asked.answers, "DescribeSubnets": {"Subnets": [{**listed[0], "AvailableIpAddressCount": count}]}}
    only_one = {"zones": ["us-west-2a"], "subnets": {"us-west-2a": subnet}}
    return [
        one for one in found(replaced(place.requested, **only_one, **requested), asked).checks if one.status != "passed"
    ]


@pytest.mark.parametrize(("count", "types"), [(126, 2), (26, 1), (16, 0)])
def test_as_many_addresses_as_the_cni_takes_are_enough_and_one_less_is_not(
    place: Place, count: int, types: int
) -> None:
    nodes = {"us-west-2a": ["g5.48xlarge"] * types}
    assert free_in(place, count, nodes=nodes) == []
    assert [one.status for one in free_in(place, count - 1, nodes=nodes)] == ["failed"]


def test_smaller_types_take_fewer_addresses(place: Place) -> None:
    # EC2: 15 addresses per interface of a g5.xlarge.
    nodes = {"us-west-2a": ["g5.xlarge"] * 3}
    assert free_in(place, 16 + 2 * 30 + 10, nodes=nodes) == []
    assert [one.status for one in free_in(place, 16 + 2 * 30 + 9, nodes=nodes)] == ["failed"]


def test_running_nodes_and_an_existing_control_plane_need_no_addresses(place: Place) -> None:
    running = [account_module.instance(SubnetId=place.subnets["us-west-2a"])] * 2
    there = {"ListClusters": {"clusters": [account_module.STACK]}}
    assert free_in(place, 0, Account(instances=running, answers=there)) == []
    (check,) = free_in(place, 9, Account(instances=running[:1], answers=there))
    assert "has 9 free addresses, and 1 more GPU node needs 10 or more (the VPC CNI takes up to 100" in check.text


def test_an_existing_cluster_needs_no_addresses_for_its_control_plane(place: Place) -> None:
    assert free_in(place, 110, has_control_plane=False) == []
    assert [one.status for one in free_in(place, 109, has_control_plane=False)] == ["failed"]


def test_an_internal_load_balancer_needs_addresses(place: Place) -> None:
    there = Account(answers={"ListClusters": {"clusters": [account_module.STACK]}})
    assert free_in(place, 8, there, nodes={}, has_load_balancer=True) == []
    assert [one.status for one in free_in(place, 7, there, nodes={}, has_load_balancer=True)] == ["failed"]


def test_too_few_addresses_are_unknown_where_running_nodes_cannot_be_read(place: Place) -> None:
    (check,) = free_in(place, 20, Account(denied=frozenset({"DescribeInstances"})))
    assert check.status == "unknown"
    assert "no permission: allow ec2:DescribeInstances" in check.text


def test_a_public_subnet_is_refused(place: Place, client: Any) -> None:
    table = place.tables["us-west-2a"]
    client.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=place.internet_gateway)
    assert failures(found(place.requested).checks) == {
        "network.existing.subnets.us-west-2a": f"{place.subnets['us-west-2a']} is public (0.0.0.0/0 goes to "
        f"{place.internet_gateway}), and nodes have no public address: use a private subnet with a route to "
        "a NAT gateway"
    }


def test_a_subnet_without_a_route_to_the_internet_is_refused(place: Place, client: Any) -> None:
    table = place.tables["us-west-2b"]
    client.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    assert failures(found(place.requested).checks) == {
        "network.existing.subnets.us-west-2b": f"{place.subnets['us-west-2b']} has no route to 0.0.0.0/0 (in {table}), "
        "and nodes download images and weights from the internet: add a route, for example to a NAT gateway"
    }


def test_a_route_to_a_deleted_target_is_refused(place: Place, client: Any) -> None:
    client.delete_nat_gateway(NatGatewayId=place.nat)
    gone = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": place.nat, "State": "blackhole"}
    tables = {"RouteTables": [{"RouteTableId": "rtb-1", "Routes": [gone]}]}
    texts = failures(found(place.requested, Account(answers={"DescribeRouteTables": tables})).checks).values()
    assert (
        f"{place.subnets['us-west-2a']} has no working route to 0.0.0.0/0: {place.nat} does not exist: correct the "
        "route" in texts
    )


def test_a_subnet_without_a_route_table_of_its_own_uses_the_main_one(place: Place, client: Any) -> None:
    subnet = client.create_subnet(VpcId=place.vpc, CidrBlock="10.0.7.0/24", AvailabilityZone="us-west-2a")
    plain = subnet["Subnet"]["SubnetId"]
    network = found(replaced(place.requested, subnets={**place.subnets, "us-west-2a": plain}))
    (text,) = failures(network.checks).values()
    assert text.startswith(f"{plain} has no route to 0.0.0.0/0 (in rtb-")


def test_a_vpc_without_dns_is_refused(place: Place, client: Any) -> None:
    client.modify_vpc_attribute(VpcId=place.vpc, EnableDnsHostnames={"Value": False})
    assert failures(found(place.requested).checks) == {
        "network.existing.vpcId": f"{place.vpc} has enableDnsHostnames off, and nodes need DNS to find the control "
        "plane: turn it on"
    }
