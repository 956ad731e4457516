"""Each type of AWS resource that the program creates is a kind of `vllm-eks leftovers`, or has a reason not to be."""

import json
from pathlib import Path

from vllm_eks.leftovers.found import REMOVAL_ORDER

FACTS = json.loads((Path(__file__).parents[2] / "data" / "iam_actions.json").read_text())

KIND_OF = {
    "aws:amp/workspace:Workspace": "workspace",
    "aws:amp/ruleGroupNamespace:RuleGroupNamespace": "rule namespace",
    "aws:cloudwatch/logGroup:LogGroup": "log group",
    "aws:ebs/volume:Volume": "volume",
    "aws:ec2/eip:Eip": "address",
    "aws:ec2/internetGateway:InternetGateway": "internet gateway",
    "aws:ec2/launchTemplate:LaunchTemplate": "launch template",
    "aws:ec2/natGateway:NatGateway": "NAT gateway",
    "aws:ec2/placementGroup:PlacementGroup": "placement group",
    "aws:ec2/routeTable:RouteTable": "route table",
    "aws:ec2/securityGroup:SecurityGroup": "security group",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/vpc:Vpc": "VPC",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "VPC endpoint",
    "aws:eks/nodeGroup:NodeGroup": "node group",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "pod identity association",
    "aws:iam/role:Role": "IAM role",
    "aws:kms/key:Key": "KMS key",
    "aws:lb/loadBalancer:LoadBalancer": "load balancer",
    "aws:lb/targetGroup:TargetGroup": "target group",
    "aws:route53/record:Record": "record",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "security group rule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "security group rule",
    "eks:index:Cluster": "cluster",
}
GOES_WITH = {
    "aws:amp/alertManagerDefinition:AlertManagerDefinition": "workspace",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "VPC",
    "aws:ec2/flowLog:FlowLog": "VPC",
    "aws:ec2/route:Route": "route table",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "route table",
    "aws:eks/addon:Addon": "cluster",
    "aws:iam/rolePolicy:RolePolicy": "IAM role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "IAM role",
    "aws:kms/alias:Alias": "KMS key",
    "aws:lb/listener:Listener": "load balancer",
    "aws:lb/listenerRule:ListenerRule": "load balancer",
    "aws:wafv2/webAclAssociation:WebAclAssociation": "load balancer",
}
"""Types without a kind of their own, because AWS deletes them with another resource."""
NOT_LISTED = ("aws:s3/bucket",)
"""The weights' bucket and its settings. `pulumi destroy` empties and deletes it."""


def test_every_type_is_listed_or_goes_with_one_that_is() -> None:
    types = {type_ for type_ in FACTS["types"] if not type_.startswith(NOT_LISTED)}
    assert types == KIND_OF.keys() | GOES_WITH.keys()
    assert {*KIND_OF.values(), *GOES_WITH.values()} <= set(REMOVAL_ORDER)
