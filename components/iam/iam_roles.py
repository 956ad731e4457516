"""The roles of the stack, and what an organization asks of every role."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class IamArgs:
    """What every role gets."""

    permissions_boundary: str | None = None
    """The ARN of a managed policy."""
    role_path: str | None = None
    """Such as /platform/. Another path is another role: IAM moves none."""


def make_role(
    name: str, *, trust: str, iam: IamArgs, tags: Mapping[str, str], opts: pulumi.ResourceOptions
) -> aws.iam.Role:
    """Make a role; all roles of the program but the control plane's own are made here.

    Args:
        name: The resource's name.
        trust: Who may take it on, a policy document as JSON.
        iam: What every role gets.
        tags: Tags on the role.
        opts: The resource's options.
    """
    return aws.iam.Role(
        name,
        assume_role_policy=trust,
        permissions_boundary=iam.permissions_boundary,
        path=iam.role_path,
        tags=tags,
        opts=opts,
    )


def for_roles_inside(iam: IamArgs) -> list[pulumi.ResourceTransform]:
    """Return the transforms that give the roles inside a remote component what every role gets.

    pulumi-eks makes the control plane's role itself and takes neither a boundary nor a path. The engine applies a
    transform to every child of the component.
    """
    given = {"permissionsBoundary": iam.permissions_boundary, "path": iam.role_path}
    wanted = {key: value for key, value in given.items() if value}

    def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ != "aws:iam/role:Role":
            return None
        return pulumi.ResourceTransformResult(props={**args.props, **wanted}, opts=args.opts)

    return [transform] if wanted else []
