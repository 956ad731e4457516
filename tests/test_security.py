"""docs/security.md against the program: every check it calls met is asked of what the program registers."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chart_rendering import Rendered, render_text, tool
from pydantic.alias_generators import to_camel

from cli.recording import Recording
from config.model_settings import ModelSettings
from config.stack_settings import ChartsSettings, ClusterSettings, NetworkSettings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
FOUND = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$", PAGE, re.MULTILINE)
ROWS = {int(row[0]): row[1:] for row in FOUND}
CHART_CHECKS = {33, 34, 35, 37, 38, 39, 40}


class Stack:
    """What the prod stack registers, under short names."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def all(self, type_: str) -> list[dict[str, Any]]:
        return [dict(one.inputs) for one in self.recording.of_type(type_)]

    def one(self, type_: str) -> dict[str, Any]:
        (found,) = self.all(type_)
        return found

    @property
    def plane(self) -> dict[str, Any]:
        return self.one("eks:index:Cluster")

    @property
    def templates(self) -> list[dict[str, Any]]:
        return self.all("aws:ec2/launchTemplate:LaunchTemplate")

    @property
    def gpu_group(self) -> dict[str, Any]:
        return next(one for one in self.groups if one["amiType"].endswith("NVIDIA"))

    @property
    def groups(self) -> list[dict[str, Any]]:
        return self.all("aws:eks/nodeGroup:NodeGroup")

    def policies_of(self, role: str) -> set[str]:
        attached = self.all("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        return {one["policyArn"].rpartition("/")[2] for one in attached if role in one["role"]}

    @property
    def chart(self) -> Rendered:
        release = next(one for one in self.all("kubernetes:helm.sh/v3:Release") if "vllm" in one["chart"])
        return Rendered(render_text(release["values"], release=release["name"], namespace=release["namespace"]))

    @property
    def pod_security(self) -> dict[str, str]:
        found = self.all("kubernetes:core/v1:Namespace")
        key = "pod-security.kubernetes.io/enforce"
        return {one["metadata"]["name"]: one["metadata"]["labels"][key] for one in found}


def user_data(template: dict[str, Any]) -> str:
    return base64.b64decode(template.get("userData") or "").decode()


MET: dict[int, Callable[[Stack], object]] = {
    1: lambda stack: stack.plane["endpointPrivateAccess"],
    3: lambda stack: stack.one("aws:kms/key:Key")["enableKeyRotation"] and stack.plane["encryptionConfigKeyArn"],
    4: lambda stack: len(stack.plane["enabledClusterLogTypes"]) == 5,
    5: lambda stack: {one["retentionInDays"] for one in stack.all("aws:cloudwatch/logGroup:LogGroup")} == {30, 90},
    6: lambda stack: stack.plane["authenticationMode"] == "API",
    9: lambda stack: stack.plane["upgradePolicy"] == {"supportType": "STANDARD"} and stack.plane["version"],
    11: lambda stack: stack.plane["bootstrapSelfManagedAddons"] is False,
    13: lambda stack: (
        stack.one("aws:ec2/vpc:Vpc")["enableDnsHostnames"] and stack.one("aws:ec2/vpc:Vpc")["enableDnsSupport"]
    ),
    14: lambda stack: not any(one["mapPublicIpOnLaunch"] for one in stack.all("aws:ec2/subnet:Subnet")),
    16: lambda stack: stack.one("aws:ec2/vpcEndpoint:VpcEndpoint")["vpcEndpointType"] == "Gateway",
    18: lambda stack: stack.one("aws:ec2/flowLog:FlowLog")["trafficType"] == "ALL",
    19: lambda stack: stack.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")["ingress"] == [],
    20: lambda stack: all(
        any(key.startswith("kubernetes.io/role/") for key in one["tags"]) for one in stack.all("aws:ec2/subnet:Subnet")
    ),
    21: lambda stack: stack.plane["skipDefaultSecurityGroups"] and not stack.all("aws:ec2/securityGroup:SecurityGroup"),
    22: lambda stack: (
        {
            (one["metadataOptions"]["httpTokens"], one["metadataOptions"]["httpPutResponseHopLimit"])
            for one in stack.templates
        }
        == {("required", 1)}
    ),
    23: lambda stack: {one["blockDeviceMappings"][0]["ebs"]["encrypted"] for one in stack.templates} == {"true"},
    24: lambda stack: (
        stack.one("aws:eks/podIdentityAssociation:PodIdentityAssociation")["serviceAccount"] == "aws-node"
    ),
    25: lambda stack: "AmazonEKS_CNI_Policy" not in stack.policies_of("node-role"),
    26: lambda stack: (
        stack.policies_of("node-role") == {"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"}
    ),
    27: lambda stack: all(one["nodeRepairConfig"]["enabled"] is True for one in stack.groups),
    28: lambda stack: stack.gpu_group["updateConfig"] == {"maxUnavailable": 1, "updateStrategy": "MINIMAL"},
    30: lambda stack: all(
        {"vllm-eks/stack", "Name"} == made["tags"].keys()
        for one in stack.templates
        for made in one["tagSpecifications"]
    ),
    31: lambda stack: (
        stack.gpu_group["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}]
    ),
    32: lambda stack: [len(one["subnetIds"]) for one in stack.groups if one["amiType"].endswith("STANDARD")] == [2],
    33: lambda stack: stack.pod_security == {"vllm-llama-4-scout": "restricted", "lws-system": "baseline"},
    34: lambda stack: (
        stack.plane["vpcCniOptions"]["enableNetworkPolicy"]
        and any(one["spec"]["podSelector"] == {} for one in stack.chart.objects if one["kind"] == "NetworkPolicy")
    ),
    35: lambda stack: (
        stack.chart.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 2
        and "--host-from=LWS_LEADER_ADDRESS" in stack.chart.container("worker")["readinessProbe"]["exec"]["command"]
    ),
    37: lambda stack: {"startupProbe", "readinessProbe", "livenessProbe"} <= stack.chart.container("leader").keys(),
    38: lambda stack: (
        not any(stack.chart.template(role)["spec"]["automountServiceAccountToken"] for role in ("leader", "worker"))
    ),
    39: lambda stack: (
        stack.chart.volume("leader", "hugging-face-token")["secret"]["defaultMode"] == 0o440
        and all(one.secret_paths for one in stack.recording.of_type("kubernetes:core/v1:Secret"))
    ),
    40: lambda stack: (
        stack.chart.one("Service")["spec"]["type"] == "ClusterIP"
        and "vllm_eks_keys.ApiKeys" in stack.chart.container("leader")["args"]
    ),
    42: lambda stack: (
        [one["values"]["replicaCount"] for one in stack.all("kubernetes:helm.sh/v3:Release") if one["name"] == "lws"]
        == [2]
    ),
}


@pytest.fixture(scope="module")
def stack(recorded_stack: Callable[[str], Recording]) -> Stack:
    return Stack(recorded_stack("prod"))


def test_every_one_of_the_44_checks_stands_on_the_page() -> None:
    assert sorted(ROWS) == list(range(1, 45))
    assert {status.strip() for _, status, _ in ROWS.values()} == {"met", "key", "no way", "not done"}
    for number, (_, status, how) in ROWS.items():
        assert status.strip() == "met" or how.strip(), f"{number} gives neither a key nor a reason"


def test_what_is_called_met_is_what_is_asked() -> None:
    assert {number for number, (_, status, _) in ROWS.items() if status.strip() == "met"} == set(MET)


@pytest.mark.parametrize("number", MET)
def test_a_check_that_is_called_met_is(stack: Stack, number: int) -> None:
    if number in CHART_CHECKS and tool("helm") is None:
        pytest.skip("helm is neither on PATH nor in $KUBE_LAB/bin")
    assert MET[number](stack), ROWS[number][0]


def test_every_key_the_page_names_is_one() -> None:
    keys = {info.alias or to_camel(name) for one in settings() for name, info in one.model_fields.items()}
    named = {
        word for _, status, how in ROWS.values() if status.strip() == "key" for word in re.findall("`([a-zA-Z]+)", how)
    }
    assert named - keys - {"single", "charts", "images"} == set()


def settings() -> Iterator[Any]:
    yield from (NetworkSettings, ClusterSettings, ModelSettings, ChartsSettings)


def test_no_trust_policy_lets_in_more_than_one_service(stack: Stack) -> None:
    services = [
        statement["Principal"]["Service"]
        for role in stack.all("aws:iam/role:Role")
        for statement in json.loads(role["assumeRolePolicy"])["Statement"]
    ]
    assert sorted(services) == ["ec2.amazonaws.com", "pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com"]


def test_no_user_data_holds_a_secret(stack: Stack) -> None:
    assert all("token" not in user_data(one).lower() for one in stack.templates)
