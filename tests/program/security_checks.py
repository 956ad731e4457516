"""The rows of docs/explanation/security.md that are marked as met, checked on a stack's registrations."""

import json
import re
from collections.abc import Callable

from components.cluster.cluster import CONTROL_PLANE_LOGS
from components.nodes.gpu_node_group import GPU_TAINT
from components.nodes.gpu_taint import GPU_TOLERATION
from tests.program.security_stacks import ROWS, SUBNET, Stack

MET: dict[int, Callable[[Stack], None]] = {}
MINIMUM = {"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"}
MARK = {"vllm-eks/stack", "Name"}


def row(number: int) -> Callable[[Callable[[Stack], None]], Callable[[Stack], None]]:
    def keep(check: Callable[[Stack], None]) -> Callable[[Stack], None]:
        assert number not in MET
        MET[number] = check
        return check

    return keep


@row(1)
def private_endpoint(stack: Stack) -> None:
    assert stack.plane["endpointPrivateAccess"] is True


@row(3)
def own_key(stack: Stack) -> None:
    (key,) = stack.made("aws:kms/key:Key")
    assert key.inputs["enableKeyRotation"] is True
    assert stack.plane["encryptionConfigKeyArn"] == f"arn:aws:offline:::{key.name}"


@row(4)
def logs(stack: Stack) -> None:
    assert set(stack.plane["enabledClusterLogTypes"]) == set(CONTROL_PLANE_LOGS)
    assert set(CONTROL_PLANE_LOGS) == {"api", "audit", "authenticator", "controllerManager", "scheduler"}


@row(5)
def log_group(stack: Stack) -> None:
    (plane,) = stack.made("eks:index:Cluster")
    groups = {one.name: dict(one.inputs) for one in stack.made("aws:cloudwatch/logGroup:LogGroup")}
    (name,) = [name for name, one in groups.items() if one.get("name") == f"/aws/eks/{plane.inputs['name']}/cluster"]
    assert name in plane.depends_on
    assert groups[name]["retentionInDays"] == 90
    assert {one["retentionInDays"] for one in groups.values()} <= {30, 90}
    assert not any("kmsKeyId" in one for one in groups.values())


@row(6)
def access_entries(stack: Stack) -> None:
    assert stack.plane["authenticationMode"] == "API"
    assert not {"roleMappings", "userMappings", "instanceRoles"} & stack.plane.keys()


@row(9)
def standard_support(stack: Stack) -> None:
    assert stack.plane["upgradePolicy"] == {"supportType": "STANDARD"}
    assert re.fullmatch(r"1\.\d+", stack.plane["version"])
    assert any(
        one.subject == f"Kubernetes {stack.plane['version']} is in standard support" for one in stack.recording.checks
    )


@row(11)
def addons(stack: Stack) -> None:
    plane = stack.plane
    assert plane["bootstrapSelfManagedAddons"] is False
    assert plane["corednsAddonOptions"]["enabled"] is False, "else there would be two"
    pinned = {name: one["addonVersion"] for name, one in stack.addons.items()}
    pinned |= {"vpc-cni": plane["vpcCniOptions"]["addonVersion"]}
    pinned |= {"kube-proxy": plane["kubeProxyAddonOptions"]["version"]}
    volume = set() if stack.recording.of_type("aws:ebs/volume:Volume") else {"aws-ebs-csi-driver"}
    assert pinned.keys() == set(re.findall(r"[a-z]+(?:-[a-z]+)+|coredns", ROWS[11][2])) - volume
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+-eksbuild\.\d+", version) for version in pinned.values())


@row(13)
def names(stack: Stack) -> None:
    vpc = stack.one("aws:ec2/vpc:Vpc")
    assert vpc["enableDnsHostnames"] is vpc["enableDnsSupport"] is True


@row(14)
def private_subnets(stack: Stack) -> None:
    assert not any(one["mapPublicIpOnLaunch"] for one in stack.all(SUBNET))
    way_out = {one["routeTableId"]: one for one in stack.all("aws:ec2/route:Route")}
    tables = {
        one["subnetId"]: one["routeTableId"] for one in stack.all("aws:ec2/routeTableAssociation:RouteTableAssociation")
    }
    for group in [*stack.gpu_groups, *stack.system_groups]:
        for subnet in group["subnetIds"]:
            assert "natGatewayId" in way_out[tables[subnet]]


@row(16)
def s3_endpoint(stack: Stack) -> None:
    endpoint = stack.one("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert endpoint["vpcEndpointType"] == "Gateway"
    assert endpoint["serviceName"].endswith(".s3")
    by_nat = {one["routeTableId"] for one in stack.all("aws:ec2/route:Route") if "natGatewayId" in one}
    assert set(endpoint["routeTableIds"]) == by_nat


@row(18)
def flow_logs(stack: Stack) -> None:
    (vpc,) = stack.made("aws:ec2/vpc:Vpc")
    log = stack.one("aws:ec2/flowLog:FlowLog")
    assert (log["trafficType"], log["vpcId"]) == ("ALL", f"{vpc.name}-id")
    assert 30 in [one["retentionInDays"] for one in stack.all("aws:cloudwatch/logGroup:LogGroup")]


@row(19)
def default_group(stack: Stack) -> None:
    group = stack.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert group["ingress"] == group["egress"] == []


@row(20)
def subnet_tags(stack: Stack) -> None:
    for one in stack.made(SUBNET):
        wanted = "elb" if "-public-" in one.name else "internal-elb"
        assert [key for key in one.inputs["tags"] if "/role/" in key] == [f"kubernetes.io/role/{wanted}"]


@row(21)
def one_group(stack: Stack) -> None:
    assert stack.plane["skipDefaultSecurityGroups"] is True
    for group in stack.recording.of_type("aws:ec2/securityGroup:SecurityGroup"):
        assert group.name.endswith("-door-security-group")
        assert not any(tag.startswith("kubernetes.io/cluster/") for tag in group.inputs["tags"])
    own = [f"{stack.plane['name']}-security-group-id"]
    for template in stack.templates.values():
        on_cards = [one["securityGroups"] for one in template.get("networkInterfaces", [])]
        assert all(found == own for found in [template.get("vpcSecurityGroupIds", own), *on_cards])


@row(22)
def metadata(stack: Stack) -> None:
    for one in stack.templates.values():
        options = one["metadataOptions"]
        assert (options["httpTokens"], options["httpPutResponseHopLimit"]) == ("required", 1)
    assert {one["launchTemplate"]["id"] for one in [*stack.gpu_groups, *stack.system_groups]} == set(stack.templates)


@row(23)
def volumes(stack: Stack) -> None:
    for one in stack.templates.values():
        assert one["blockDeviceMappings"]
        for mapping in one["blockDeviceMappings"]:
            assert mapping["ebs"]["encrypted"] == "true"
            assert "kmsKeyId" not in mapping["ebs"]


@row(24)
def pod_identity(stack: Stack) -> None:
    assert "eks-pod-identity-agent" in stack.addons
    found = stack.all("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    bound = {(one["namespace"], one["serviceAccount"]) for one in found}
    callers = {("kube-system", "aws-node")}
    for one in stack.recording.of_type("vllm-eks:index:ModelWeights"):
        callers |= {(f"vllm-{one.name}", one.name), (f"vllm-{one.name}-weights", "copy-weights")}
    if stack.recording.of_type("vllm-eks:index:Binder"):
        callers.add(("kube-system", "aws-load-balancer-controller"))
    if stack.recording.of_type("aws:ebs/volume:Volume"):
        callers |= {("kube-system", "ebs-csi-controller-sa")}
    assert bound == callers
    assert len({one["roleArn"] for one in found}) == len(found), "a role for each"


@row(25)
def cni_policy(stack: Stack) -> None:
    assert "AmazonEKS_CNI_Policy" not in stack.policies_of("node-role")


@row(26)
def node_role(stack: Stack) -> None:
    assert stack.policies_of("node-role") == MINIMUM
    inline = stack.recording.of_type("aws:iam/rolePolicy:RolePolicy")
    assert not any("node-role" in one.inputs["role"] for one in inline)


@row(27)
def repair(stack: Stack) -> None:
    for one in [*stack.gpu_groups, *stack.system_groups]:
        assert one["nodeRepairConfig"]["enabled"] is True
    for one in stack.gpu_groups:
        (override,) = one["nodeRepairConfig"]["nodeRepairConfigOverrides"]
        assert (override["nodeUnhealthyReason"], override["repairAction"]) == ("DCGMError", "NoAction")
        assert [taint["key"] for taint in one["taints"]] == [GPU_TOLERATION["key"]]
    configuration = json.loads(stack.addons["eks-node-monitoring-agent"]["configurationValues"])
    assert GPU_TOLERATION in configuration["dcgmAgent"]["tolerations"]


@row(28)
def updates(stack: Stack) -> None:
    assert stack.gpu_groups
    assert all(one["updateConfig"] == {"maxUnavailable": 1, "updateStrategy": "MINIMAL"} for one in stack.gpu_groups)


@row(30)
def tags(stack: Stack) -> None:
    gpu = {one["launchTemplate"]["id"] for one in stack.gpu_groups}
    for id_, one in stack.templates.items():
        made = {found["resourceType"]: found["tags"] for found in one["tagSpecifications"]}
        assert made.keys() == {"instance", "volume"} | ({"network-interface"} if id_ in gpu else set())
        assert all(found.keys() == MARK for found in made.values())


@row(31)
def taint(stack: Stack) -> None:
    assert GPU_TAINT == {"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}
    assert stack.gpu_groups
    assert all(one["taints"] == [GPU_TAINT] for one in stack.gpu_groups)


@row(32)
def system_nodes(stack: Stack) -> None:
    (group,) = stack.system_groups or [{"subnetIds": [], "scalingConfig": {}}]
    assert len(set(group["subnetIds"])) == 2
    assert group["scalingConfig"]["minSize"] == 2
    assert "taints" not in group


@row(42)
def spread(stack: Stack) -> None:
    values = stack.releases["lws"]["values"]
    assert values["replicaCount"] == 2
    (apart,) = values["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert apart["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    coredns = next((one for one in stack.recording.registrations if one.inputs.get("addonName") == "coredns"), None)
    assert coredns is None or "configurationValues" not in coredns.inputs
