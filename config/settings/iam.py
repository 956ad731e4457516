"""What every IAM role of the stack gets."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from vllm_eks.aws import names as aws_names


class IamSettings(Settings):
    """What every IAM role of the stack gets, the control plane's own among them."""

    permissions_boundary: (
        Annotated[str, AfterValidator(aws_names.permissions_boundary), InSchema(pattern=aws_names.POLICY)] | None
    ) = Field(
        default=None,
        description="The ARN of a managed policy that bounds every role.",
        examples=["arn:aws:iam::123456789012:policy/boundary"],
        json_schema_extra=absent("no boundary"),
    )
    role_path: (
        Annotated[
            str,
            AfterValidator(aws_names.role_path),
            InSchema(pattern=aws_names.ROLE_PATH, maxLength=aws_names.LONGEST_ROLE_PATH),
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "The path of every role. Set it before the first `pulumi up`: another path replaces every role, and with "
            "its role the cluster."
        ),
        examples=["/platform/"],
        json_schema_extra=absent("`/`"),
    )
