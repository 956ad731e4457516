"""Networks and clusters that exist: looked up in moto's account, each fault with its exact words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import account
import pytest
from account import Account

from checks.existing_cluster import FoundCluster, find_cluster
from checks.existing_network import FoundNetwork, NetworkWish, find_network
from checks.result import Check

pytestmark = pytest.mark.usefixtures("moto_account")

ZONES = ("us-west-2a", "us-west-2b")
NODES = {"us-west-2a": 2, "us-west-2b": 0}


@dataclass(frozen=True)
class Place:
    """A VPC with a private subnet in each zone, whose way out is a NAT gateway."""

    vpc: str
    subnets: dict[str, str]
    tables: dict[str, str]
    nat: str
    internet_gateway: str

    @property
    def wish(self) -> NetworkWish:
        return NetworkWish(vpc_id=self.vpc, zones=ZONES, subnets=self.subnets)


@pytest.fixture
def client() -> Any:
    return account.client_of("ec2", "us-west-2")


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


def found(wish: NetworkWish, account: Account | None = None) -> FoundNetwork:
    return (account or Account()).run(lambda: find_network(wish, NODES, "us-west-2"))


def failures(checks: Any) -> dict[str, str]:
    return {check.subject: check.text for check in checks if check.status == "failed"}


# --- networks


def test_a_network_with_all_it_needs_passes_and_its_subnets_are_taken(place: Place) -> None:
    network = found(place.wish)
    assert network.private_subnets == place.subnets
    assert network.checks[0] == Check(
        subject=f"{place.vpc} resolves names", status="passed", text="DNS support and hostnames are on"
    )
    free = 251 - 1  # of a /24, less the NAT gateway's
    assert Check(
        subject=f"{place.subnets['us-west-2a']} suits us-west-2a",
        status="passed",
        text=f"{free} free addresses of 10.0.0.0/24; 0.0.0.0/0 goes to {place.nat}",
    ) in list(network.checks)
    assert {check.status for check in network.checks} == {"passed"}


def test_subnets_are_found_by_their_tags(place: Place) -> None:
    wish = replace(place.wish, subnets={}, subnet_tags={"tier": "private"})
    assert found(wish).private_subnets == place.subnets


def test_tags_that_name_no_subnet_or_two_are_refused(place: Place, client: Any) -> None:
    other = client.create_subnet(VpcId=place.vpc, CidrBlock="10.0.9.0/24", AvailabilityZone="us-west-2b")
    twin = other["Subnet"]["SubnetId"]
    client.create_tags(Resources=[twin], Tags=[{"Key": "tier", "Value": "private"}])
    wish = replace(place.wish, subnets={}, subnet_tags={"tier": "private"}, zones=(*ZONES, "us-west-2c"))
    both = ", ".join(sorted([twin, place.subnets["us-west-2b"]]))
    texts = [check.text for check in found(wish).checks if check.status == "failed"]
    assert texts == [
        f"2 subnets ({both}) of {place.vpc} in us-west-2b have the tags tier=private; exactly one is needed: write "
        "subnets with their ids, or other tags",
        f"no subnet of {place.vpc} in us-west-2c has the tags tier=private; exactly one is needed: write "
        "subnets with their ids, or other tags",
    ]


def test_without_permission_ids_go_on_unknown_and_tags_cannot(place: Place) -> None:
    denied = Account(denied=frozenset({"*"}))
    by_id = found(place.wish, denied)
    assert by_id.private_subnets == place.subnets
    assert {check.status for check in by_id.checks} == {"unknown"}
    assert by_id.checks[1].text == (
        "no permission to ask: allow ec2:DescribeSubnets, or run aws ec2 describe-subnets --subnet-ids "
        f"{place.subnets['us-west-2a']} --region us-west-2"
    )
    by_tag = found(replace(place.wish, subnets={}, subnet_tags={"tier": "private"}), denied)
    assert failures(by_tag.checks) == {
        "network.existing.subnetTags": "us-west-2b: no permission to ask: allow ec2:DescribeSubnets, or run aws ec2 "
        f"describe-subnets --filters Name=vpc-id,Values={place.vpc} Name=availability-zone,Values=us-west-2b "
        "Name=tag:tier,Values=private --region us-west-2"
    }


def test_a_subnet_of_another_zone_or_vpc_is_refused(place: Place, client: Any) -> None:
    other_vpc = client.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = client.create_subnet(VpcId=other_vpc, CidrBlock="10.1.0.0/24", AvailabilityZone="us-west-2c")
    stranger = subnet["Subnet"]["SubnetId"]
    network = found(replace(place.wish, subnets={**place.subnets, "us-west-2b": stranger}))
    texts = [check.text for check in network.checks if check.status == "failed"]
    assert texts[:2] == [
        f"{stranger} is in {other_vpc}, not in {place.vpc}",
        f"{stranger} is in us-west-2c, not in us-west-2b",
    ]


def test_too_few_free_addresses_are_refused_with_the_number_needed(place: Place, client: Any) -> None:
    subnet = client.create_subnet(VpcId=place.vpc, CidrBlock="10.0.8.0/28", AvailabilityZone="us-west-2a")
    small = subnet["Subnet"]["SubnetId"]
    client.associate_route_table(RouteTableId=place.tables["us-west-2a"], SubnetId=small)
    network = found(replace(place.wish, subnets={**place.subnets, "us-west-2a": small}))
    assert failures(network.checks) == {
        "network.existing.subnets.us-west-2a": f"{small} has 11 free addresses, and 2 GPU nodes beside the control "
        "plane need 36 or more"
    }


def test_a_public_subnet_is_refused(place: Place, client: Any) -> None:
    table = place.tables["us-west-2a"]
    client.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=place.internet_gateway)
    assert failures(found(place.wish).checks) == {
        "network.existing.subnets.us-west-2a": f"{place.subnets['us-west-2a']} is public (0.0.0.0/0 goes to "
        f"{place.internet_gateway}), and nodes have no public address: give a private subnet, whose way out is a NAT "
        "gateway"
    }


def test_a_subnet_without_a_way_out_is_refused(place: Place, client: Any) -> None:
    table = place.tables["us-west-2b"]
    client.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    assert failures(found(place.wish).checks) == {
        "network.existing.subnets.us-west-2b": f"{place.subnets['us-west-2b']} has no route to 0.0.0.0/0 (in {table}), "
        "and nodes fetch images and weights from outside: add one, to a NAT gateway say"
    }


def test_a_subnet_without_a_route_table_of_its_own_uses_the_main_one(place: Place, client: Any) -> None:
    subnet = client.create_subnet(VpcId=place.vpc, CidrBlock="10.0.7.0/24", AvailabilityZone="us-west-2a")
    plain = subnet["Subnet"]["SubnetId"]
    network = found(replace(place.wish, subnets={**place.subnets, "us-west-2a": plain}))
    (text,) = failures(network.checks).values()
    assert text.startswith(f"{plain} has no route to 0.0.0.0/0 (in rtb-")


def test_a_vpc_that_resolves_no_names_is_refused(place: Place, client: Any) -> None:
    client.modify_vpc_attribute(VpcId=place.vpc, EnableDnsHostnames={"Value": False})
    assert failures(found(place.wish).checks) == {
        "network.existing.vpcId": f"{place.vpc} has enableDnsHostnames off, and nodes find the control plane by name: "
        "turn it on"
    }


# --- clusters


@pytest.fixture
def theirs(place: Place) -> Iterator[str]:
    eks = account.client_of("eks", "us-west-2")
    eks.create_cluster(
        name="theirs",
        version="1.36",
        roleArn="arn:aws:iam::123456789012:role/eks",
        resourcesVpcConfig={"subnetIds": list(place.subnets.values())},
    )
    yield "theirs"
    eks.delete_cluster(name="theirs")


def looked_up(account: Account, name: str, version: str = "1.36", vpc: str = "vpc-theirs") -> FoundCluster:
    return account.run(lambda: find_cluster(name, kubernetes_version=version, vpc_id=vpc, region="us-west-2"))


def test_a_cluster_with_what_is_needed_passes_and_gives_its_facts(theirs: str) -> None:
    cluster = looked_up(Account(), theirs)
    assert cluster.checks[0] == Check(
        subject="cluster theirs has what the stack needs", status="passed", text="ACTIVE, 1.36, in vpc-theirs"
    )
    assert cluster.facts["security_group_id"] == "sg-theirs"
    assert cluster.facts["endpoint"].startswith("https://")
    assert cluster.facts["certificate_authority"]


def test_an_addon_that_eks_does_not_manage_is_unknown_not_missing(theirs: str) -> None:
    addons = [check for check in looked_up(Account(), theirs).checks if "has what" not in check.subject]
    assert [(check.subject, check.status) for check in addons] == [
        ("cluster theirs has vpc-cni", "passed"),
        ("cluster theirs has kube-proxy", "passed"),
        ("cluster theirs has coredns", "unknown"),
    ]
    assert "a self-managed coredns will do" in addons[2].text


def test_a_cluster_of_another_version_or_vpc_is_refused(theirs: str) -> None:
    texts = [
        check.text for check in looked_up(Account(), theirs, "1.35", "vpc-ours").checks if check.status == "failed"
    ]
    assert texts == [
        'theirs runs Kubernetes 1.36, and the stack\'s nodes would run 1.35: write kubernetesVersion: "1.36", with a '
        "nodeReleaseVersion of it",
        "theirs is in vpc-theirs, and network.existing names vpc-ours: write its own VPC",
    ]


def test_a_cluster_that_is_not_active_is_refused(theirs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Moto's clusters are ACTIVE at once.
    monkeypatch.setitem(
        account.ANSWERS, "getCluster", lambda one, args: {**account.cluster(one, args), "status": "CREATING"}
    )
    texts = [check.text for check in looked_up(Account(), theirs).checks if check.status == "failed"]
    assert texts == ["theirs is CREATING, not ACTIVE: wait until it is"]


def test_a_cluster_that_cannot_be_looked_up_stops_the_stack() -> None:
    assert failures(looked_up(Account(), "nobody-s").checks) == {
        "cluster.existing": "nobody-s: AWS did not answer (ResourceNotFoundException: No cluster found for name: "
        "nobody-s): aws eks describe-cluster --name nobody-s --region us-west-2"
    }
    denied = looked_up(Account(denied=frozenset({"getCluster"})), "theirs")
    assert failures(denied.checks) == {
        "cluster.existing": "theirs: no permission to ask: allow eks:DescribeCluster, or run aws eks describe-cluster "
        "--name theirs --region us-west-2"
    }
