"""A moto account with leftovers of the stack vllm-eks-dev of every kind, and resources of others.

The region decides what is created: each test that needs another account uses another region.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OURS = "vllm-eks-dev"
NEIGHBOUR = "vllm-eks-dev2"
"""Another stack, whose name begins with the same letters."""

MARK = {"vllm-eks/stack": OURS}
NODE = "i-0123456789abcdef0"
ROLE = "arn:aws:iam::123456789012:role/any"


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def owned(cluster: str, value: str = "owned") -> dict[str, str]:
    return {f"kubernetes.io/cluster/{cluster}": value}


CLAIM = {
    "CSIVolumeName": "pvc-a3ab0567-3a48-4608-8cb6-4e3b1485c808",
    "kubernetes.io/created-for/pvc/name": "prometheus-db-prometheus-0",
    "kubernetes.io/created-for/pvc/namespace": "monitoring",
}
"""Tags of the EBS driver on a claim's volume."""

STRANGE_TAGS: dict[str, dict[str, str]] = {
    "no tag": {},
    "the neighbour's mark": {"vllm-eks/stack": NEIGHBOUR},
    "the neighbour's mark on a node of our cluster": {"vllm-eks/stack": NEIGHBOUR, **owned(OURS)},
    "a name that begins as ours": {"Name": f"{OURS}-private-us-west-2a"},
    "owned by the neighbour": owned(NEIGHBOUR),
    "shared with us": owned(OURS, "shared"),
    "owned by two": {**owned(OURS), **owned("another")},
    "the neighbour's interface": {"cluster.k8s.amazonaws.com/name": NEIGHBOUR},
    "the neighbour's load balancer": {"elbv2.k8s.aws/cluster": NEIGHBOUR},
    "the neighbour's volume": {"ebs.csi.aws.com/cluster-name": NEIGHBOUR, **owned(NEIGHBOUR), **CLAIM},
    "the neighbour's node": {"eks:cluster-name": NEIGHBOUR, "aws:eks:cluster-name": NEIGHBOUR},
}


@dataclass
class Gardener:
    """Creates resources in one region, with tags in the format of each service."""

    client: Callable[[str], Any]
    vpc: str = ""
    subnet: str = ""
    placement_groups: list[dict[str, Any]] = field(default_factory=list)
    """Moto has none, so this is the answer of describe_placement_groups."""

    def network(self, tags: dict[str, str]) -> None:
        ec2 = self.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", **self._spec("vpc", tags))["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/20", **self._spec("subnet", tags))[
            "Subnet"
        ]["SubnetId"]

    def interface(self, tags: dict[str, str], description: str = "") -> str:
        made = self.client("ec2").create_network_interface(
            SubnetId=self.subnet, Description=description, **self._spec("network-interface", tags)
        )
        return made["NetworkInterface"]["NetworkInterfaceId"]

    def volume(self, tags: dict[str, str], type_: str = "gp3", size: int = 100) -> str:
        zone = self.client("ec2").describe_subnets(SubnetIds=[self.subnet])["Subnets"][0]["AvailabilityZone"]
        return self.client("ec2").create_volume(
            AvailabilityZone=zone, Size=size, VolumeType=type_, **self._spec("volume", tags)
        )["VolumeId"]

    def security_group(self, tags: dict[str, str], name: str) -> str:
        return self.client("ec2").create_security_group(
            GroupName=name, Description=name, VpcId=self.vpc, **self._spec("security-group", tags)
        )["GroupId"]

    def group_rule(self, tags: dict[str, str], group: str, referred: str) -> str:
        made = self.client("ec2").authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8000, "UserIdGroupPairs": [{"GroupId": referred}]}
            ],
            **self._spec("security-group-rule", tags),
        )
        return made["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def instance(self, tags: dict[str, str], type_: str = "g5.xlarge") -> str:
        made = self.client("ec2").run_instances(
            ImageId="ami-12c6146b",
            InstanceType=type_,
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnet,
            **self._spec("instance", tags),
        )
        return made["Instances"][0]["InstanceId"]

    def nat_gateway(self, tags: dict[str, str]) -> tuple[str, str]:
        ec2 = self.client("ec2")
        address = ec2.allocate_address(Domain="vpc", **self._spec("elastic-ip", tags))["AllocationId"]
        made = ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=address, **self._spec("natgateway", tags))
        return made["NatGateway"]["NatGatewayId"], address

    def endpoint(self, tags: dict[str, str], type_: str) -> str:
        subnets = {"SubnetIds": [self.subnet]} if type_ == "Interface" else {}
        return self.client("ec2").create_vpc_endpoint(
            VpcId=self.vpc,
            VpcEndpointType=type_,
            **subnets,
            **self._spec("vpc-endpoint", tags),
            ServiceName=f"com.amazonaws.us-west-2.{'sqs' if subnets else 's3'}",
        )["VpcEndpoint"]["VpcEndpointId"]

    def launch_template(self, tags: dict[str, str], name: str) -> str:
        return self.client("ec2").create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData={"InstanceType": "g5.xlarge"},
            **self._spec("launch-template", tags),
        )["LaunchTemplate"]["LaunchTemplateId"]

    def placement_group(self, tags: dict[str, str], name: str) -> str:
        self.placement_groups.append({"GroupName": name, "State": "available", "Tags": tag_list(tags)})
        return name

    def route_table(self, tags: dict[str, str]) -> str:
        made = self.client("ec2").create_route_table(VpcId=self.vpc, **self._spec("route-table", tags))
        return made["RouteTable"]["RouteTableId"]

    def internet_gateway(self, tags: dict[str, str], *, attached: bool) -> str:
        ec2 = self.client("ec2")
        made = ec2.create_internet_gateway(**self._spec("internet-gateway", tags))["InternetGateway"]
        if attached:
            ec2.attach_internet_gateway(InternetGatewayId=made["InternetGatewayId"], VpcId=self.vpc)
        return made["InternetGatewayId"]

    def classic_load_balancer(self, tags: dict[str, str], name: str) -> str:
        listener = {"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 30080}
        self.client("elb").create_load_balancer(
            LoadBalancerName=name, Listeners=[listener], Subnets=[self.subnet], **self._tags(tags)
        )
        return name

    def load_balancer(self, tags: dict[str, str], name: str, type_: str = "network") -> str:
        self.client("elbv2").create_load_balancer(Name=name, Type=type_, Subnets=[self.subnet], **self._tags(tags))
        return name

    def load_balancers(self) -> list[dict[str, Any]]:
        return self.client("elbv2").describe_load_balancers()["LoadBalancers"]

    def zone(self, name: str) -> str:
        made = self.client("route53").create_hosted_zone(Name=name, CallerReference=name)
        return made["HostedZone"]["Id"].rpartition("/")[2]

    def alias(self, zone: str, name: str, target: str, type_: str = "A") -> None:
        alias = {"HostedZoneId": "Z1H1FL5HABSF5", "DNSName": f"{target}.", "EvaluateTargetHealth": True}
        self._upsert(zone, {"Name": name, "Type": type_, "AliasTarget": alias})

    def address_record(self, zone: str, name: str) -> None:
        values = [{"Value": "192.0.2.1"}]
        self._upsert(zone, {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": values})

    def _upsert(self, zone: str, record: dict[str, Any]) -> None:
        self.change_records(zone, json.dumps({"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}))

    def change_records(self, zone: str, batch: str) -> None:
        self.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=json.loads(batch))

    def target_group(self, tags: dict[str, str], name: str) -> str:
        self.client("elbv2").create_target_group(Name=name, Protocol="TCP", Port=80, VpcId=self.vpc, **self._tags(tags))
        return name

    def auto_scaling_group(self, tags: dict[str, str], name: str) -> str:
        template = self.launch_template({}, f"{name}-template")
        self.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=1,
            DesiredCapacity=0,
            VPCZoneIdentifier=self.subnet,
            LaunchTemplate={"LaunchTemplateId": template},
            **self._tags(tags),
        )
        return name

    def log_group(self, tags: dict[str, str], name: str) -> str:
        self.client("logs").create_log_group(logGroupName=name, **({"tags": tags} if tags else {}))
        return name

    def workspace(self, tags: dict[str, str], alias: str) -> str:
        return self.client("amp").create_workspace(alias=alias, tags=tags)["workspaceId"]

    def rule_namespace(self, tags: dict[str, str], workspace: str, name: str) -> None:
        self.client("amp").create_rule_groups_namespace(workspaceId=workspace, name=name, data=b"groups: []", tags=tags)

    def pod_role(self, tags: dict[str, str], name: str, service: str = "pods.eks.amazonaws.com") -> str:
        iam = self.client("iam")
        # IAM has no regions, so each account of a test needs its own names.
        name = f"{name}-{self.client('ec2').meta.region_name}"
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole"]}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **self._tags(tags))
        allowed = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=name, PolicyName="writes", PolicyDocument=policy)
        return name

    def key(self, tags: dict[str, str], *, alias: str = "", dying: bool = False) -> str:
        kms = self.client("kms")
        listed = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
        id_ = kms.create_key(Tags=listed)["KeyMetadata"]["KeyId"]
        if alias:
            kms.create_alias(AliasName=alias, TargetKeyId=id_)
        if dying:
            kms.schedule_key_deletion(KeyId=id_, PendingWindowInDays=30)
        return id_

    def cluster(self, tags: dict[str, str], name: str) -> str:
        self.client("eks").create_cluster(
            name=name, roleArn=ROLE, resourcesVpcConfig={"subnetIds": [self.subnet]}, tags=tags
        )
        return name

    def node_group(self, tags: dict[str, str], cluster: str, name: str) -> str:
        self.client("eks").create_nodegroup(
            clusterName=cluster, nodegroupName=name, nodeRole=ROLE, subnets=[self.subnet], tags=tags
        )
        return name

    def _spec(self, kind: str, tags: dict[str, str]) -> dict[str, Any]:
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": tag_list(tags)}]} if tags else {}

    def _tags(self, tags: dict[str, str]) -> dict[str, Any]:
        return {"Tags": tag_list(tags)} if tags else {}
