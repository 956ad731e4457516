"""Settings of every IAM role of the stack."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from vllm_eks.aws import names as aws_names


class IamSettings(Settings):
    """Settings of every IAM role of the stack, including the control plane's."""

    permissions_boundary: (
        Annotated[str, AfterValidator(aws_names.permissions_boundary), InSchema(pattern=aws_names.POLICY)] | None
    ) = Field(
        default=None,
        description="The ARN of a managed policy to use as the permissions boundary of every role.",
        examples=["arn:aws:iam::123456789012:policy/boundary"],
        json_schema_extra=absent("no boundary"),
    )
    role_path: (
        Annotated[
            str,
            AfterValidator(aws_names.role_path),
            InSchema(pattern=aws_names.ROLE_PATH, maxLength=aws_names.MAX_ROLE_PATH_CHARACTERS),
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "The path of every role. Set it before the first `pulumi up`, because a new path replaces every role, and "
            "with its role the cluster."
        ),
        examples=["/platform/"],
        json_schema_extra=absent("`/`"),
    )
