"""The stack's IAM roles, with the settings that an organization requires."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from vllm_eks.specs.stack import IamSpec


def make_role(
    name: str, *, trust: str, iam: IamSpec, tags: Mapping[str, str], opts: pulumi.ResourceOptions
) -> aws.iam.Role:
    """Create a role. All roles of the program are created here, except the control plane's.

    Args:
        name: The resource's name.
        trust: The trust policy, as JSON.
        iam: Settings of every role.
        tags: Tags of the role.
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


def role_transforms(iam: IamSpec) -> list[pulumi.ResourceTransform]:
    """Return transforms that apply the settings to the roles inside a remote component.

    pulumi-eks creates the control plane's role and has no arguments for a boundary or a path. The engine applies a
    transform to every child of the component.
    """
    given = {"permissionsBoundary": iam.permissions_boundary, "path": iam.role_path}
    wanted = {key: value for key, value in given.items() if value}

    def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ != "aws:iam/role:Role":
            return None
        return pulumi.ResourceTransformResult(props={**args.props, **wanted}, opts=args.opts)

    return [transform] if wanted else []
