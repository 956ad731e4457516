"""docs/explanation/security.md and the program: each row is checked on registrations and the rendered chart.

`security_checks` and `security_chart_checks` have the checks of rows marked as met. AWS's behaviour is not checked.
"""

import inspect
import json
import re
from collections.abc import Callable
from functools import cache

import pulumi_eks
import pytest

from components.controllers.images import split_image
from components.network.subnets import private_subnet_cidr
from tests.program import security_chart_checks
from tests.program import security_stacks as given
from tests.program.security_checks import MET
from tests.program.security_holes import NO_POLICY, holes, told_holes
from tests.program.security_stacks import NODE_GROUP, PAGE, ROWS, SUBNET, Stack, record_beside
from tests.support.chart_rendering import tool
from vllm_eks.pins.eks import COPY_IMAGE
from vllm_eks.preview.recording import Recording

EXAMPLES = ("keys", "existing-network", "existing-cluster")
OF_NETWORK, OF_CLUSTER = (
    {int(number) for number in re.findall(r"\d+", found)} for found in re.findall(r"for rows ([\d, ]+), because", PAGE)
)
"""Rows that do not apply to the program with an existing network or cluster."""
THEIRS = {"existing-network": OF_NETWORK, "existing-cluster": OF_NETWORK | OF_CLUSTER}
BY_STATUS = {
    wanted: {number for number, (_, status, _) in ROWS.items() if status.strip() == wanted}
    for wanted in ("met", "key", "not possible", "not done")
}
EKS_ARGUMENTS = set(inspect.signature(pulumi_eks.ClusterArgs.__init__).parameters)
needs_helm = pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")
IN_CHART = {number for number, check in MET.items() if check.__module__ == security_chart_checks.__name__}


@pytest.fixture(scope="module")
def stack_of(
    recorded_stack: Callable[[str], Recording], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Stack]:
    folder = tmp_path_factory.mktemp("security")
    return cache(lambda name: Stack(record_beside(folder, name) if name in EXAMPLES else recorded_stack(name)))


@pytest.fixture
def keys(stack_of: Callable[[str], Stack]) -> Stack:
    """A stack that sets each key of the page to another value than the shipped stacks."""
    return stack_of("keys")


@pytest.fixture
def prod(stack_of: Callable[[str], Stack]) -> Stack:
    return stack_of("prod")


def test_every_one_of_the_44_checks_has_its_row() -> None:
    assert sorted(ROWS) == list(range(1, 45))
    assert set().union(*BY_STATUS.values()) == set(ROWS)
    for number, (_, status, how) in ROWS.items():
        assert status.strip() == "met" or how.strip(), f"{number} gives neither a key nor a reason"


def test_every_key_that_a_row_names_is_set_in_the_stack_of_keys() -> None:
    named = {word for number in BY_STATUS["key"] for word in re.findall("`([a-zA-Z]+)`", ROWS[number][2])}
    assert named - {"single"} <= set(re.findall("[a-zA-Z]+", json.dumps(given.KEYS)))


def test_every_met_row_has_a_check() -> None:
    assert BY_STATUS["met"] == set(MET)
    asked = {int(name.split("_")[2]) for name in globals() if re.match(r"test_row_\d+_", name)}
    assert BY_STATUS["key"] | BY_STATUS["not possible"] | BY_STATUS["not done"] <= asked


@pytest.mark.parametrize(
    ("name", "number"),
    [
        pytest.param(name, number, marks=needs_helm if number in IN_CHART else ())
        for name in ("prod", "dev", *EXAMPLES)
        for number in MET
        # The workloads are the same in a new network, and rendering takes time.
        if name != "existing-network" or number not in IN_CHART
    ],
)
def test_a_row_marked_as_met_is_met(stack_of: Callable[[str], Stack], name: str, number: int) -> None:
    if number in THEIRS.get(name, ()):
        with pytest.raises(AssertionError):
            MET[number](stack_of(name))
    else:
        MET[number](stack_of(name))


@needs_helm
@pytest.mark.parametrize("name", ["prod", "dev", "keys"])
def test_the_gaps_of_a_stack_are_those_on_the_page(stack_of: Callable[[str], Stack], name: str) -> None:
    reported = told_holes()
    assert len(reported) == len(set(reported))
    # The stack "keys" has clientNamespaces, metrics and weights in S3. The others have none of these.
    if name == "keys":
        left_out = {hole for hole in reported if hole[0] == "every pod of the cluster"}
    else:
        left_out = {hole for hole in reported if hole[0] in ("the copy Job", "every pod of `clientNamespaces`")}
        left_out |= {hole for hole in reported if hole[1] == "the node's Pod Identity agent"}
        left_out |= {hole for hole in reported if hole[0] in ("the load balancer's subnets", "pods of Prometheus")}
    assert left_out
    assert set(holes(stack_of(name))) == set(reported) - left_out - {NO_POLICY}


def test_row_2_the_public_endpoint_is_as_wide_as_the_key_says(prod: Stack, keys: Stack) -> None:
    assert (prod.plane["endpointPublicAccess"], prod.plane["publicAccessCidrs"]) == (True, ["0.0.0.0/0"])
    assert keys.plane["endpointPublicAccess"] is False
    assert "publicAccessCidrs" not in keys.plane
    warned = [[one.status for one in stack.recording.checks if "0.0.0.0/0" in one.text] for stack in (prod, keys)]
    assert warned == [["warning"], []]


def test_row_6_each_of_admins_gets_an_entry(prod: Stack, keys: Stack) -> None:
    assert prod.plane.get("accessEntries", {}) == {}
    (entry,) = keys.plane["accessEntries"].values()
    assert entry["accessPolicies"]["admin"]["policyArn"].endswith("/AmazonEKSClusterAdminPolicy")


def test_row_7_pulumi_eks_still_has_no_argument_for_the_creator() -> None:
    assert not [name for name in EKS_ARGUMENTS if "bootstrap_cluster" in name or "creator" in name]


def test_row_8_deletion_protection_is_of_both(prod: Stack, keys: Stack) -> None:
    for stack, wanted in ((prod, False), (keys, True)):
        assert stack.plane["deletionProtection"] is wanted
        assert [one.request.protect for one in stack.made("eks:index:Cluster")] == [wanted]
        releases = stack.recording.of_type("kubernetes:helm.sh/v3:Release")
        models = [one for one in releases if one.inputs["chart"].endswith("charts/vllm")]
        assert models
        assert all(one.request.protect is wanted for one in models)


def test_row_10_pulumi_eks_still_has_no_argument_for_zonal_shift() -> None:
    assert not [name for name in EKS_ARGUMENTS if "zonal" in name or "shift" in name]


def test_row_12_the_control_plane_has_no_subnets_of_its_own(prod: Stack) -> None:
    nodes = {subnet for one in prod.all(NODE_GROUP) for subnet in one["subnetIds"]}
    assert nodes <= set(prod.plane["privateSubnetIds"])
    size = 2 ** (32 - int(private_subnet_cidr("10.0.0.0/16", "us-west-2a").rpartition("/")[2]))
    assert f"{size - 5:,} addresses of a /16" in ROWS[12][2], "AWS keeps five of each subnet"


def test_row_15_each_zone_has_its_own_nat_gateway_if_the_key_is_set(prod: Stack, keys: Stack) -> None:
    for stack, wanted in ((prod, "us-west-2a"), (keys, None)):
        ways = {one.name: one.inputs["natGatewayId"] for one in stack.made("aws:ec2/route:Route") if "-nat" in one.name}
        assert len(ways) == len({one["availabilityZone"] for one in stack.all(SUBNET)})
        for name, gateway in ways.items():
            zone = name.partition("-private-")[2].removesuffix("-nat")
            assert gateway.endswith(f"-nat-{wanted or zone}-id")


def test_row_17_there_are_no_interface_endpoints(prod: Stack, keys: Stack) -> None:
    for stack in (prod, keys):
        assert {one["vpcEndpointType"] for one in stack.all("aws:ec2/vpcEndpoint:VpcEndpoint")} == {"Gateway"}


def test_row_26_every_role_has_the_boundary_and_the_path(prod: Stack, keys: Stack) -> None:
    for role in keys.all("aws:iam/role:Role"):
        assert (role["permissionsBoundary"], role["path"]) == (given.BOUNDARY, given.ROLE_PATH)
    assert not any({"permissionsBoundary", "path"} & role.keys() for role in prod.all("aws:iam/role:Role"))


def test_row_29_nothing_scales_the_nodes_but_the_stack(prod: Stack) -> None:
    for group in prod.recording.of_type(NODE_GROUP):
        assert "scalingConfig" in group.inputs
        assert not group.request.ignoreChanges, "the stack's size is the size"
    assert {name for name in prod.releases if not name.startswith("llama")} == {"lws", "nvidia-device-plugin"}
    assert not prod.types("autoscal")


@needs_helm
def test_row_36_requests_and_limits_are_set_and_quotas_are_not(prod: Stack, keys: Stack) -> None:
    for stack in (prod, keys):
        for who, container in stack.containers:
            given = container["resources"]
            assert {"cpu", "memory"} <= given["requests"].keys(), who
            assert "memory" in given["limits"], who
        assert not any(stack.kind(kind) for kind in ("ResourceQuota", "LimitRange", "PriorityClass"))
        assert not any("priorityClassName" in spec for _, spec in stack.pods)


@needs_helm
def test_row_41_every_image_and_chart_comes_from_where_the_keys_say(keys: Stack) -> None:
    used = {who: container["image"] for who, container in keys.containers}
    assert used == {
        "leader": given.IMAGES["vllm"],
        "worker": given.IMAGES["vllm"],
        "ready": given.IMAGES["hook"],
        "copy-weights": given.IMAGES["weightsCopy"],
    }
    charts = {name: one for name, one in keys.releases.items() if one["chart"] != "./charts/vllm"}
    images = {name: one["values"].get("image", one["values"].get("global")) for name, one in charts.items()}
    assert images == {
        "lws": {"manager": split_image(given.IMAGES["leaderWorkerSet"])},
        "nvidia-device-plugin": split_image(given.IMAGES["nvidiaDevicePlugin"]),
        "aws-efa-k8s-device-plugin": split_image(given.IMAGES["efaDevicePlugin"]),
        "aws-load-balancer-controller": split_image(given.IMAGES["awsLoadBalancerController"]),
        "dcgm-exporter": split_image(given.IMAGES["dcgmExporter"]),
        "kube-prometheus-stack": {"imageRegistry": given.IMAGES["monitoringRegistry"]},
        "prometheus-blackbox-exporter": {"imageRegistry": given.IMAGES["monitoringRegistry"]},
    }
    assert all(one["chart"].startswith(f"oci://{given.REGISTRY}/") for one in charts.values())


@needs_helm
def test_row_41_the_defaults_are_fixed_tags(prod: Stack) -> None:
    for image in {*(container["image"] for _, container in prod.containers), COPY_IMAGE}:
        assert re.search(r":[^:/]*\d[^:/]*$", image)
        assert not image.endswith(":latest")


@needs_helm
def test_row_43_a_load_balancer_exists_only_with_its_key_and_has_the_policy_of_the_row(
    prod: Stack, keys: Stack
) -> None:
    assert not prod.types(r"aws:(lb|elb|alb|apigateway)|loadbalanc|globalaccelerator|cloudfront")
    for stack in (prod, keys):
        assert not any(one["kind"] in ("Ingress", "Gateway", "HTTPRoute") for one in stack.objects)
    listeners = {one["port"]: one for one in keys.all("aws:lb/listener:Listener")}
    assert listeners[443]["sslPolicy"] in ROWS[43][2]
    assert listeners[80]["defaultActions"][0]["type"] == "redirect"
    rules = keys.all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    sources = {(one["cidrIpv4"], one["fromPort"]) for one in rules if "cidrIpv4" in one}
    assert sources == {("203.0.113.0/24", 443), ("203.0.113.0/24", 80), ("192.0.2.1/32", 443)}, "the last is NAT's"
    (rule,) = keys.all("aws:lb/listenerRule:ListenerRule")
    assert all(f"`{path}`" in ROWS[43][2] for path in rule["conditions"][1]["pathPattern"]["values"])


@needs_helm
def test_row_44_metrics_are_collected_only_with_their_key(prod: Stack, keys: Stack) -> None:
    assert not prod.types(r"metricAlarm|amp/|grafana|sns/|observability|monitoring")
    assert not re.findall(r"dcgm-exporter|prometheus|fluent|cloudwatch", " ".join([*prod.releases, *prod.addons]))
    assert {"kube-prometheus-stack", "dcgm-exporter"} <= set(keys.releases)


def test_no_trust_policy_lets_in_more_than_one_service(prod: Stack) -> None:
    services = [
        statement["Principal"]["Service"]
        for role in prod.all("aws:iam/role:Role")
        for statement in json.loads(role["assumeRolePolicy"])["Statement"]
    ]
    assert sorted(services) == ["ec2.amazonaws.com", "pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
