"""The role that lets only the CNI manage pod addresses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.iam.iam_roles import make_role
from vllm_eks.specs.stack import IamSpec

CNI_NAMESPACE, CNI_SERVICE_ACCOUNT, CNI_POLICY = "kube-system", "aws-node", "AmazonEKS_CNI_Policy"


@dataclass(frozen=True, kw_only=True)
class CniRoleArgs:
    """The arguments of a CniRole."""

    cluster_name: pulumi.Input[str]
    partition: str
    """The AWS partition, such as `aws`."""
    iam: IamSpec = field(default_factory=IamSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class CniRole(pulumi.ComponentResource):
    """A Pod Identity role for the pods of vpc-cni, so that the node role does not give this permission to every pod."""

    association: aws.eks.PodIdentityAssociation
    """Known after the policy is attached. Resources that need pod networking are deleted before it."""

    def __init__(self, name: str, args: CniRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:CniRole", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = make_role(f"{name}-role", trust=pod_identity_trust(), iam=args.iam, tags=args.tags, opts=child)
        attachment = aws.iam.RolePolicyAttachment(
            f"{name}-{CNI_POLICY}",
            role=role.name,
            policy_arn=f"arn:{args.partition}:iam::aws:policy/{CNI_POLICY}",
            opts=child,
        )
        self.association = aws.eks.PodIdentityAssociation(
            f"{name}-association",
            cluster_name=args.cluster_name,
            namespace=CNI_NAMESPACE,
            service_account=CNI_SERVICE_ACCOUNT,
            role_arn=role.arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        self.register_outputs({"association_id": self.association.id})


def pod_identity_trust() -> str:
    """Return the trust policy, as JSON, that lets EKS Pod Identity assume a role for a service account."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
