"""The role that all nodes share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.edges import known_after
from components.iam.iam_roles import make_role
from components.iam.trust_policies import service_trust_policy
from vllm_eks.specs.stack import IamSpec

NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
"""The minimum for a node. The CNI's policy is not included, because its pods have their own role."""


@dataclass(frozen=True, kw_only=True)
class NodeRoleArgs:
    """The arguments of a NodeRole."""

    partition: str
    """The AWS partition, such as `aws`."""
    policies: Sequence[str] = NODE_POLICIES
    iam: IamSpec = field(default_factory=IamSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class NodeRole(pulumi.ComponentResource):
    """A role that lets a node join its cluster and pull images."""

    arn: pulumi.Output[str]
    """Known after every policy is attached. Resources that use it are deleted before a policy is detached, because a
    draining node without its policies cannot release its network interfaces."""

    def __init__(self, name: str, args: NodeRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:NodeRole", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        trust = service_trust_policy("ec2.amazonaws.com")
        role = make_role(f"{name}-role", trust=trust, iam=args.iam, tags=args.tags, opts=child)
        attachments = [
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=f"arn:{args.partition}:iam::aws:policy/{policy}",
                opts=child,
            )
            for policy in args.policies
        ]
        self.arn = known_after(role.arn, *attachments)
        self.register_outputs({"arn": self.arn})
