"""The load balancer of a stack: the exact inputs of its parts, for both schemes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from components.endpoint.door_network import door_network
from components.endpoint.limits import CLIENT_KEEP_ALIVE_SECONDS, IDLE_SECONDS
from components.network.existing_network import ExistingNetwork
from components.network.network import Network, NetworkArgs
from tests.support.clusters import STACK
from tests.support.front_doors import CERTIFICATE, NETWORK, TAGS, front_door, spec
from vllm_eks.specs.endpoint import AccessLogsSpec
from vllm_eks.specs.network import FoundVpc, NetworkSpec

ACL = "arn:aws:wafv2:us-west-2:123456789012:regional/webacl/models/01234567-89ab-cdef-0123-456789abcdef"
NAMED = {**TAGS, "Name": "door-load-balancer"}
OPEN = spec(
    scheme="internetFacing",
    source_ranges=["203.0.113.0/24", "198.51.100.7/32"],
    web_acl_arn=ACL,
    access_logs=AccessLogsSpec(bucket="acme-logs", prefix="door"),
)
NOT_FOUND = {
    "type": "fixed-response",
    "fixedResponse": {
        "contentType": "application/json",
        "messageBody": '{"error": {"message": "No model has this name, or the path is not public.", "code": 404}}',
        "statusCode": "404",
    },
}
BALANCER, LISTENER = "aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener"
INGRESS, EGRESS = (f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule" for way in ("Ingress", "Egress"))


def test_an_internal_load_balancer_has_these_parts(engine) -> None:
    engine.run(front_door)

    assert engine.children() == {
        "vllm-eks-test": {"FrontDoor door"},
        "door": {
            "Binder door-binder",
            "SecurityGroup door-security-group",
            "SecurityGroupIngressRule door-443-from-10.0.0.0-16",
            "SecurityGroupIngressRule door-80-from-10.0.0.0-16",
            "SecurityGroupEgressRule door-to-models",
            "SecurityGroupIngressRule door-into-nodes",
            "LoadBalancer door-load-balancer",
            "Listener door-http",
            "Listener door-https",
        },
        "door-binder": {
            "Role door-binder-role",
            "RolePolicy door-binder-policy",
            "PodIdentityAssociation door-binder-association",
            "Release door-binder-aws-load-balancer-controller",
        },
    }


@pytest.mark.parametrize(("endpoint", "internal"), [(spec(deletion_protection=True), True), (OPEN, False)])
def test_the_load_balancer_is_in_its_subnets(engine, endpoint, internal: bool) -> None:
    engine.run(lambda: front_door(endpoint))

    logs = {} if internal else {"accessLogs": {"bucket": "acme-logs", "prefix": "door", "enabled": True}}
    assert engine.only(BALANCER).inputs == {
        "namePrefix": "vllm-",
        "loadBalancerType": "application",
        "internal": internal,
        "ipAddressType": "ipv4",
        "subnets": ["subnet-a", "subnet-b"],
        "securityGroups": ["door-security-group-id"],
        "idleTimeout": 900,
        "clientKeepAlive": 3600,
        "dropInvalidHeaderFields": True,
        "enableDeletionProtection": internal,
        "tags": NAMED,
        **logs,
    }


def test_https_has_a_current_policy_and_http_redirects_to_it(engine) -> None:
    engine.run(front_door)

    listeners = {one.name: dict(one.inputs) for one in engine.of_type(LISTENER)}
    balancer = {"loadBalancerArn": "arn:aws:offline:::door-load-balancer", "tags": TAGS}
    redirect = {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}
    assert listeners == {
        "door-https": {
            "port": 443,
            "protocol": "HTTPS",
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
            "certificateArn": CERTIFICATE,
            "defaultActions": [NOT_FOUND],
            **balancer,
        },
        "door-http": {
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [{"type": "redirect", "redirect": redirect}],
            **balancer,
        },
    }


def test_the_listener_of_port_80_is_the_same_one_as_in_earlier_commits(engine) -> None:
    engine.run(front_door)

    # AWS refuses a second listener of the same port while the first one exists.
    assert "door-redirect" in {one.spec.name for one in engine.named("door-http", LISTENER).request.aliases}


def test_without_a_certificate_http_routes_and_port_443_is_closed(engine) -> None:
    engine.run(lambda: front_door(spec(certificate_arn=None)))

    (listener,) = engine.of_type(LISTENER)
    assert (listener.name, listener.inputs["protocol"], listener.inputs["defaultActions"]) == (
        "door-http",
        "HTTP",
        [NOT_FOUND],
    )
    assert {one.inputs["fromPort"] for one in engine.of_type(INGRESS)} == {80, 8000}


def test_only_the_source_ranges_come_in_and_only_the_models_port_goes_out(engine) -> None:
    engine.run(lambda: front_door(OPEN))

    def rules(kind: str) -> set[tuple[object, ...]]:
        keys = ("securityGroupId", "fromPort", "toPort", "ipProtocol", "cidrIpv4", "referencedSecurityGroupId")
        return {tuple(one.inputs.get(key) for key in keys) for one in engine.of_type(kind)}

    assert rules(INGRESS) == {
        *(
            ("door-security-group-id", port, port, "tcp", source, None)
            for port in (443, 80)
            for source in ("203.0.113.0/24", "198.51.100.7/32")
        ),
        ("sg-nodes", 8000, 8000, "tcp", None, "door-security-group-id"),
    }
    assert rules(EGRESS) == {("door-security-group-id", 8000, 8000, "tcp", None, "sg-nodes")}
    group = engine.only("aws:ec2/securityGroup:SecurityGroup").inputs
    assert "ingress" not in group
    assert "egress" not in group


@pytest.mark.parametrize(
    ("endpoint", "zones"),
    [
        (replace(OPEN, probed=True), ["us-west-2a", "us-west-2b"]),
        (OPEN, []),
        (replace(OPEN, probed=True, source_ranges=["0.0.0.0/0"]), []),
        (spec(probed=True), []),
    ],
)
def test_the_nat_gateways_may_connect_if_metrics_probe_a_closed_load_balancer(engine, endpoint, zones) -> None:
    addresses = {"us-west-2a": "8.8.8.8", "us-west-2b": "8.8.4.4"}
    engine.run(lambda: front_door(endpoint, network=replace(NETWORK, nat_addresses=addresses)))

    assert {one.name: one.inputs for one in engine.of_type(INGRESS) if "nat" in one.name} == {
        f"door-443-from-nat-{zone}": {
            "securityGroupId": "door-security-group-id",
            "fromPort": 443,
            "toPort": 443,
            "ipProtocol": "tcp",
            "cidrIpv4": f"{addresses[zone]}/32",
            "tags": TAGS,
        }
        for zone in zones
    }
    (balancer,) = engine.of_type(BALANCER)
    assert balancer.depends_on >= {f"door-443-from-nat-{zone}" for zone in zones}


def test_a_destroy_closes_the_load_balancer_to_a_nat_gateway_before_it_releases_the_address(engine) -> None:
    endpoint = replace(OPEN, probed=True)
    args = NetworkArgs(stack=STACK, network=NetworkSpec(zones=["us-west-2a", "us-west-2b"], nat_gateways="perZone"))

    def program() -> None:
        front_door(endpoint, network=door_network(Network("net", args), args.network, endpoint, None))

    engine.run(program)

    rules = {one.name: one for one in engine.of_type(INGRESS)}
    for zone in args.network.zones:
        needed = rules[f"door-443-from-nat-{zone}"].request.propertyDependencies["cidrIpv4"].urns
        assert [urn.rpartition("::")[2] for urn in needed] == [f"net-nat-{zone}"]


def test_a_web_acl_is_attached(engine) -> None:
    engine.run(lambda: front_door(OPEN))

    assert engine.only("aws:wafv2/webAclAssociation:WebAclAssociation").inputs == {
        "resourceArn": "arn:aws:offline:::door-load-balancer",
        "webAclArn": ACL,
    }


def test_the_load_balancer_waits_longer_than_openai_s_clients() -> None:
    # openai-python, _constants.py: DEFAULT_TIMEOUT of 600 s.
    assert 600 < IDLE_SECONDS <= 4000
    assert CLIENT_KEEP_ALIVE_SECONDS > IDLE_SECONDS


def test_leaders_keep_idle_connections_longer_than_the_load_balancer() -> None:
    # If the leader closes first, the load balancer answers 502 to a request that it has just sent there.
    template = (Path(__file__).parents[3] / "charts" / "vllm" / "templates" / "_container.tpl").read_text()
    found = re.search(r"VLLM_HTTP_TIMEOUT_KEEP_ALIVE\n\s+value: \"(\d+)\"", template)
    assert found
    assert int(found[1]) > IDLE_SECONDS


def test_the_private_subnets_of_an_existing_network_and_their_ranges_are_used(engine) -> None:
    found = FoundVpc(
        vpc_id="vpc-1",
        private_subnets={"us-west-2a": "subnet-1", "us-west-2b": "subnet-2"},
        ranges=["10.0.0.0/16", "100.64.0.0/16"],
        subnet_ranges={
            "subnet-1": "10.0.1.0/24",
            "subnet-2": "10.0.2.0/24",
            "subnet-3": "10.0.3.0/28",
            "subnet-4": "10.0.4.0/28",
        },
    )
    network_spec = NetworkSpec(zones=["us-west-2a", "us-west-2b"])
    shown = {}

    def program() -> None:
        network = ExistingNetwork("net", found)
        public = spec(scheme="internetFacing", public_subnets={"us-west-2a": "subnet-3", "us-west-2b": "subnet-4"})
        shown["internal"] = door_network(network, network_spec, spec(), found)
        shown["public"] = door_network(network, network_spec, public, found)

    engine.run(program)

    assert (shown["internal"].subnet_ids, shown["internal"].subnet_ranges, shown["internal"].vpc_ranges) == (
        ["subnet-1", "subnet-2"],
        ["10.0.1.0/24", "10.0.2.0/24"],
        ["10.0.0.0/16", "100.64.0.0/16"],
    )
    assert (shown["public"].subnet_ids, shown["public"].subnet_ranges) == (
        ["subnet-3", "subnet-4"],
        ["10.0.3.0/28", "10.0.4.0/28"],
    )
