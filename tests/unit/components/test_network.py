import pulumi
import pytest

from components.network.network import Network, NetworkArgs
from tests.support.clusters import STACK
from tests.support.nested import replaced
from vllm_eks.specs.network import NetworkSpec

ZONES = ("us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d")
ARGS = NetworkArgs(stack=STACK, network=NetworkSpec(cidr="10.0.0.0/16", zones=ZONES))


def build(args: NetworkArgs = ARGS) -> Network:
    return Network("net", args)


def subnets(engine) -> dict[str, dict]:
    return {one.name: dict(one.inputs) for one in engine.of_type("aws:ec2/subnet:Subnet")}


def test_the_network_has_exactly_these_children(engine) -> None:
    engine.run(build)

    per_zone = {
        f"{type_} {name}-{zone}"
        for zone in ZONES
        for type_, name in [
            ("Subnet", "net-public"),
            ("Subnet", "net-private"),
            ("RouteTable", "net-private"),
            ("RouteTableAssociation", "net-public"),
            ("RouteTableAssociation", "net-private"),
        ]
    }
    assert engine.children() == {
        "vllm-eks-test": {"Network net"},
        "net": {
            "Vpc net-vpc",
            "DefaultSecurityGroup net-default-security-group",
            "InternetGateway net-internet-gateway",
            "RouteTable net-public",
            "Route net-public-internet",
            "Eip net-nat-us-west-2a",
            "NatGateway net-nat-us-west-2a",
            "VpcEndpoint net-s3",
            "FlowLogs net-flow-logs",
            *per_zone,
            *{f"Route net-private-{zone}-nat" for zone in ZONES},
        },
        "net-flow-logs": {
            "LogGroup net-flow-logs-log-group",
            "Role net-flow-logs-role",
            "RolePolicy net-flow-logs-policy",
            "FlowLog net-flow-logs-vpc",
        },
    }


def test_children_stay_inside_when_the_network_is_nested(engine) -> None:
    class Outer(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Outer", "outer")
            Network("net", ARGS, opts=pulumi.ResourceOptions(parent=self))

    engine.run(Outer)

    assert set(engine.children()) == {"vllm-eks-test", "outer", "net", "net-flow-logs"}
    assert engine.children()["outer"] == {"Network net"}


def test_the_vpc_has_names_for_its_hosts(engine) -> None:
    engine.run(build)

    vpc = engine.only("aws:ec2/vpc:Vpc").inputs
    assert vpc["cidrBlock"] == "10.0.0.0/16"
    assert vpc["enableDnsHostnames"] is True
    assert vpc["enableDnsSupport"] is True
    assert vpc["tags"] == {"team": "serving", "Name": "net-vpc"}


def test_each_subnet_is_in_its_zone_and_tagged_for_its_load_balancers(engine) -> None:
    engine.run(build)

    made = subnets(engine)
    assert made["net-private-us-west-2c"] == {
        "vpcId": "net-vpc-id",
        "availabilityZone": "us-west-2c",
        "cidrBlock": "10.0.32.0/20",
        "mapPublicIpOnLaunch": False,
        "tags": {"team": "serving", "Name": "net-private-us-west-2c", "kubernetes.io/role/internal-elb": "1"},
    }
    assert made["net-public-us-west-2c"] == {
        "vpcId": "net-vpc-id",
        "availabilityZone": "us-west-2c",
        "cidrBlock": "10.0.130.0/24",
        "mapPublicIpOnLaunch": False,
        "tags": {"team": "serving", "Name": "net-public-us-west-2c", "kubernetes.io/role/elb": "1"},
    }


@pytest.mark.parametrize("zones", [ZONES[::-1], ZONES[1:], ("us-west-2d", "us-west-2b")])
def test_changed_or_reordered_zones_keep_the_other_subnets(start_engine, zones) -> None:
    before = start_engine()
    before.run(build)
    after = start_engine()
    after.run(lambda: build(replaced(ARGS, zones=zones)))

    assert subnets(after) == {
        name: subnet for name, subnet in subnets(before).items() if subnet["availabilityZone"] in zones
    }


def test_one_nat_gateway_serves_all_zones_from_the_first_one(engine) -> None:
    engine.run(lambda: build(replaced(ARGS, zones=ZONES[::-1])))

    assert engine.only("aws:ec2/natGateway:NatGateway").name == "net-nat-us-west-2a"
    assert engine.only("aws:ec2/natGateway:NatGateway").inputs["subnetId"] == "net-public-us-west-2a-id"
    routes = [one for one in engine.of_type("aws:ec2/route:Route") if "natGatewayId" in one.inputs]
    assert len(routes) == 4
    assert {one.inputs["natGatewayId"] for one in routes} == {"net-nat-us-west-2a-id"}


def test_a_nat_gateway_per_zone_serves_its_own(engine) -> None:
    engine.run(lambda: build(replaced(ARGS, nat_gateways="perZone")))

    routes = {one.name: one.inputs for one in engine.of_type("aws:ec2/route:Route")}
    assert len(engine.of_type("aws:ec2/eip:Eip")) == 4
    for zone in ZONES:
        assert routes[f"net-private-{zone}-nat"]["natGatewayId"] == f"net-nat-{zone}-id"
        assert routes[f"net-private-{zone}-nat"]["routeTableId"] == f"net-private-{zone}-id"
        assert routes[f"net-private-{zone}-nat"]["destinationCidrBlock"] == "0.0.0.0/0"
        nat = engine.named(f"net-nat-{zone}", "aws:ec2/natGateway:NatGateway").inputs
        assert (nat["subnetId"], nat["allocationId"]) == (f"net-public-{zone}-id", f"net-nat-{zone}-id")


def test_a_failed_nat_gateway_is_replaced_and_releases_its_address_first(engine) -> None:
    engine.run(build)

    request = engine.only("aws:ec2/natGateway:NatGateway").request
    assert list(request.replaceOnChanges) == ["#initerror"]
    assert request.deleteBeforeReplace


def test_other_values_for_nat_are_refused(engine) -> None:
    with pytest.raises(ValueError, match="nat_gateways") as caught:
        engine.run(lambda: build(replaced(ARGS, nat_gateways="none")))

    assert str(caught.value) == "nat_gateways is 'none'; it must be one of ('single', 'perZone')"


def test_every_subnet_uses_its_route_table(engine) -> None:
    engine.run(build)

    used = {
        one.inputs["subnetId"]: one.inputs["routeTableId"]
        for one in engine.of_type("aws:ec2/routeTableAssociation:RouteTableAssociation")
    }
    assert used == {f"net-private-{zone}-id": f"net-private-{zone}-id" for zone in ZONES} | {
        f"net-public-{zone}-id": "net-public-id" for zone in ZONES
    }
    assert engine.named("net-public-internet", "aws:ec2/route:Route").inputs["gatewayId"] == "net-internet-gateway-id"


def test_s3_is_reached_from_every_private_subnet_without_nat(engine) -> None:
    engine.run(build)

    endpoint = engine.only("aws:ec2/vpcEndpoint:VpcEndpoint").inputs
    assert endpoint["vpcEndpointType"] == "Gateway"
    assert endpoint["serviceName"] == "com.amazonaws.us-west-2.s3"
    assert endpoint["routeTableIds"] == [f"net-private-{zone}-id" for zone in ZONES]


def test_the_default_security_group_allows_nothing(engine) -> None:
    engine.run(build)

    group = engine.only("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs
    assert (group["ingress"], group["egress"]) == ([], [])


def test_all_traffic_is_logged_by_a_role_that_may_write_only_there(engine) -> None:
    engine.run(build)

    flow_log = engine.only("aws:ec2/flowLog:FlowLog")
    assert flow_log.inputs["trafficType"] == "ALL"
    assert flow_log.inputs["vpcId"] == "net-vpc-id"
    assert flow_log.inputs["iamRoleArn"] == "arn:aws:offline:::net-flow-logs-role"
    assert flow_log.inputs["logDestination"] == "arn:aws:offline:::net-flow-logs-log-group"
    assert "net-flow-logs-policy" in flow_log.depends_on
    assert engine.only("aws:cloudwatch/logGroup:LogGroup").inputs["retentionInDays"] == 30
    assert "vpc-flow-logs.amazonaws.com" in engine.only("aws:iam/role:Role").inputs["assumeRolePolicy"]
    policy = engine.only("aws:iam/rolePolicy:RolePolicy").inputs["policy"]
    assert '"Resource": "arn:aws:offline:::net-flow-logs-log-group:*"' in policy


def test_the_internet_gateway_outlives_the_nat_gateway(engine) -> None:
    engine.run(build)

    way_out = {"net-public-internet", *{f"net-public-{zone}" for zone in ZONES}}
    assert way_out <= engine.only("aws:ec2/natGateway:NatGateway").depends_on
    assert way_out <= engine.only("aws:ec2/eip:Eip").depends_on


def test_subnet_ids_come_in_the_order_of_the_zones(engine) -> None:
    zones = ("us-west-2c", "us-west-2a")

    def program() -> pulumi.Output:
        network = build(replaced(ARGS, zones=zones))
        return pulumi.Output.all(
            *network.private_subnet_ids, *network.public_subnet_ids, network.private_subnet_id("us-west-2a")
        )

    assert engine.value(program) == [
        "net-private-us-west-2c-id",
        "net-private-us-west-2a-id",
        "net-public-us-west-2c-id",
        "net-public-us-west-2a-id",
        "net-private-us-west-2a-id",
    ]


def test_a_zone_without_a_subnet_is_refused(engine) -> None:
    with pytest.raises(ValueError, match="is not one of") as caught:
        engine.run(lambda: build(replaced(ARGS, zones=("us-west-2a",))).private_subnet_id("us-west-2b"))

    assert str(caught.value) == "zone 'us-west-2b' is not one of the network's zones ['us-west-2a']"
