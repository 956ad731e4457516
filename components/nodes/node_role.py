"""The role all nodes share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.edges import known_after
from components.iam.iam_roles import IamArgs, make_role
from components.iam.trust_policies import service_trust_policy

NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
"""The least a node needs. The CNI's policy is not among them: its pods have a role of their own."""


@dataclass(frozen=True, kw_only=True)
class NodeRoleArgs:
    """What a NodeRole needs."""

    partition: str
    """The AWS partition, such as `aws`."""
    policies: Sequence[str] = NODE_POLICIES
    iam: IamArgs = field(default_factory=IamArgs)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class NodeRole(pulumi.ComponentResource):
    """A role that lets a node join its cluster and pull images."""

    arn: pulumi.Output[str]
    """Known once every policy is attached. Whoever uses it is gone before a policy is detached: a node that loses
    its policies while it drains cannot give its network interfaces back."""

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
