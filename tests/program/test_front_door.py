"""The load balancer in whole stacks: both examples, the order of a destroy, and a stack without it."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.resource_graph import Graph
from vllm_eks.cli.views.cost import bill
from vllm_eks.cli.views.topology import topology
from vllm_eks.cli.views.usage_costs import usage_rates
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parents[2]
BINDING = "TargetGroupBinding qwen3-8b-binding"
CONTROLLER, BALANCER = "Release aws-load-balancer-controller", "LoadBalancer door-load-balancer"
RECORD = "Record qwen3-8b.models.example.com-record"
GROUP = "SecurityGroup door-security-group"

BEFORE = {
    "a binding's finalizer is removed while the controller runs and may act": [
        (BINDING, CONTROLLER),
        (BINDING, "PodIdentityAssociation door-binder-association"),
        (BINDING, "RolePolicy door-binder-policy"),
        (BINDING, "Addon eks-pod-identity-agent"),
        (BINDING, "NodeGroup system-nodes"),
    ],
    "the controller has its permissions until it goes": [
        (CONTROLLER, "PodIdentityAssociation door-binder-association"),
        ("PodIdentityAssociation door-binder-association", "RolePolicy door-binder-policy"),
    ],
    "pods leave the target group before it goes, and the rule before the group that it names": [
        (BINDING, "TargetGroup qwen3-8b-target-group"),
        ("ListenerRule qwen3-8b-rule", "TargetGroup qwen3-8b-target-group"),
        ("ListenerRule qwen3-8b-rule", "Listener door-https"),
    ],
    "pods leave the load balancer before they stop": [(BINDING, "Release qwen3-8b-release")],
    "the name is gone before the load balancer, whose address others may get": [(RECORD, BALANCER)],
    "the name leads to a new load balancer only when that one has the model": [
        (RECORD, "ListenerRule qwen3-8b-rule"),
        (RECORD, BINDING),
    ],
    "the load balancer is gone before its security group and its network": [
        (BALANCER, GROUP),
        (BALANCER, "Subnet private-us-west-2a"),
        (BALANCER, "InternetGateway internet-gateway"),
        (GROUP, "Vpc vpc"),
    ],
    "no rule of the cluster's group names the load balancer's group when that goes": [
        ("SecurityGroupIngressRule door-into-nodes", GROUP),
        ("SecurityGroupIngressRule door-into-nodes", "Cluster control-plane"),
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the examples of load balancers."""
    folder = tmp_path_factory.mktemp("doors")
    for name in ("Pulumi.yaml", "__main__.py"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "charts").symlink_to(ROOT / "charts")
    for path in (ROOT / "examples").glob("Pulumi.endpoint-*.yaml"):
        (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def recorded(folder: Path) -> Callable[[str], Recording]:
    return cache(lambda stack: record(folder, read_stack_file(folder, stack).for_offline_preview()))


@pytest.mark.parametrize("hazard", BEFORE)
def test_the_dependency_against_a_hazard_exists(recorded: Callable[[str], Recording], hazard: str) -> None:
    graph = Graph(recorded("endpoint-internal"))
    for first, second in BEFORE[hazard]:
        assert graph.goes_before(first, second), f"{first} must go before {second}"
        assert not graph.goes_before(second, first)


def test_an_internet_facing_load_balancer_is_in_the_public_subnets_and_goes_before_its_routes(
    recorded: Callable[[str], Recording],
) -> None:
    recording = recorded("endpoint-internet")
    (balancer,) = recording.of_type("aws:lb/loadBalancer:LoadBalancer")
    assert balancer.inputs["subnets"] == [f"vllm-eks-endpoint-internet-public-us-west-2{letter}-id" for letter in "ab"]
    assert (balancer.inputs["internal"], balancer.inputs["enableDeletionProtection"]) == (False, True)
    graph = Graph(recording)
    for after in ("Route public-internet", "RouteTableAssociation public-us-west-2a", "InternetGateway gateway"):
        assert graph.goes_before(BALANCER, after)


def test_each_model_has_its_name_and_parked_ones_keep_theirs(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("endpoint-internet")
    rules = recording.of_type("aws:lb/listenerRule:ListenerRule")
    assert {one.name: one.inputs["conditions"][0]["hostHeader"]["values"] for one in rules} == {
        "qwen3-8b-rule": ["chat.example.com"],
        "qwen3-8b-batch-rule": ["qwen3-8b-batch.models.example.com"],
    }
    target = "load-balancer.offline.invalid"
    assert recording.outputs["loadBalancer"] == {
        "dnsName": target,
        "zoneId": "Z00OFFLINE",
        "dnsRecords": dict.fromkeys(("chat.example.com", "qwen3-8b-batch.models.example.com"), f"CNAME {target}"),
    }
    models = recording.outputs["models"]
    assert {name: (one["endpoint"], one["frontDoor"]) for name, one in models.items()} == {
        "qwen3-8b": ("https://chat.example.com/v1", "not asked: a preview makes no request"),
        "qwen3-8b-batch": (
            "https://qwen3-8b-batch.models.example.com/v1",
            "not asked: the model is parked, and the load balancer answers 503",
        ),
    }
    assert "https://chat.example.com/v1/completions" in models["qwen3-8b"]["curl"]
    assert 'base_url="https://chat.example.com/v1"' in models["qwen3-8b"]["python"]


def test_a_stack_has_no_outputs_of_another_one_that_was_recorded_before(
    recorded: Callable[[str], Recording],
) -> None:
    assert "loadBalancer" in recorded("endpoint-internet").outputs
    after = record(ROOT, read_stack_file(ROOT, "dev").for_offline_preview())
    assert "loadBalancer" not in after.outputs


def test_the_bill_has_the_load_balancer_and_its_public_addresses(recorded: Callable[[str], Recording]) -> None:
    internal, internet = (
        {part.part: (part.what, part.usd_per_hour) for part in bill(recorded(f"endpoint-{name}"))}
        for name in ("internal", "internet")
    )
    assert internal["load balancer"] == internet["load balancer"] == ("1 x application load balancer", 0.0225)
    # One address for NAT, and one in each public subnet of the load balancer.
    assert (internal["public addresses"][0], internet["public addresses"][0]) == (
        "1 x IPv4 address",
        "3 x IPv4 address",
    )


def test_the_bill_has_a_rate_for_what_the_load_balancer_uses(recorded: Callable[[str], Recording]) -> None:
    internal, internet = (
        [(rate.part, rate.usd) for rate in usage_rates(recorded(f"endpoint-{name}"))]
        for name in ("internal", "internet")
    )
    both = [("logs", 0.5), ("logs", 0.03), ("load balancer", 0.008), ("NAT gateways", 0.045), ("traffic", 0.09)]
    assert internal == both
    # Only this one has access logs and a web ACL.
    assert internet == [*both[:3], ("access logs", 0.023), ("web ACL", 0.6), *both[3:]]


def _picture(recording: Recording) -> str:
    drawn = io.StringIO()
    console = Console(file=drawn, width=200, color_system=None)
    console.print(topology(recording, console))
    return drawn.getvalue()


def test_the_picture_says_that_there_are_more_models_than_it_shows(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("endpoint-internet")
    models = {name: {"endpoint": f"https://{name}.example.com/v1"} for name in ("one", "two", "three", "four")}

    three = _picture(replace(recording, outputs={"models": {name: models[name] for name in list(models)[:3]}}))
    four = _picture(replace(recording, outputs={"models": models}))

    how = "in the same way: pulumi stack output models prints all"
    assert f"clients of the load balancer call another model {how}" in three
    assert f"clients of the load balancer call 2 other models {how}" in four
    assert "https://three.example.com/v1" not in four
    assert how not in _picture(recording)


def test_the_picture_shows_who_connects_and_where(recorded: Callable[[str], Recording]) -> None:
    drawn = _picture(recorded("endpoint-internet"))

    for line in (
        "private subnets reach the internet through the NAT gateway; inbound traffic only to the load balancer",
        "load balancer on the internet, in the public subnets: accepts connections from 203.0.113.0/24",
        "clients of the load balancer call https://chat.example.com/v1 -> the least busy replica of qwen3-8b",
        "call https://qwen3-8b-batch.models.example.com/v1 -> 503, because qwen3-8b-batch is parked",
        "clients in the cluster can also call http://NAME-api.vllm-NAME.svc.cluster.local:8000/v1",
    ):
        assert line in drawn
    assert "port-forward" not in drawn


def test_in_an_existing_network_the_load_balancer_uses_its_subnets_and_makes_none(folder: Path) -> None:
    file = read_stack_file(folder, "endpoint-internal").for_offline_preview()
    subnets = {f"us-west-2{letter}": f"subnet-0123456789abcdef{letter}" for letter in "ab"}
    existing = {"existing": {"vpcId": "vpc-0123456789abcdef0", "subnets": subnets}}

    recording = record(folder, replace(file, config={**file.config, "vllm-eks:network": json.dumps(existing)}))

    (balancer,) = recording.of_type("aws:lb/loadBalancer:LoadBalancer")
    assert balancer.inputs["subnets"] == list(subnets.values())
    (policy,) = recording.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    # An offline preview does not know the ranges, and shows one that is for documentation.
    assert policy.inputs["spec"]["ingress"][0]["from"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}] * 2
    assert recording.of_type("aws:ec2/subnet:Subnet") == []
    accepts = "load balancer internal, in the private subnets: accepts connections from the ranges of "
    assert f"{accepts}vpc-0123456789abcdef0" in _picture(recording)


def test_the_load_balancer_does_not_touch_the_model_s_release(
    recorded: Callable[[str], Recording], folder: Path
) -> None:
    file = read_stack_file(folder, "endpoint-internal").for_offline_preview()
    config = {key: text for key, text in file.config.items() if key != "vllm-eks:endpoint"}

    without = record(folder, replace(file, config=config))

    def release(recording: Recording) -> dict[str, object]:
        (found,) = [one for one in recording.registrations if one.name == "qwen3-8b-release"]
        return dict(found.inputs)

    assert release(recorded("endpoint-internal")) == release(without)
    assert not [one for one in without.registrations if "door" in one.name or one.type.startswith("aws:lb/")]
    assert "frontDoor" not in without.outputs["models"]["qwen3-8b"]
