"""boto3 sessions with the identity of a stack. The first session imports boto3, which takes half a second."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from vllm_eks.specs.access import Deployer

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient
    from botocore.config import Config

Client: TypeAlias = "BaseClient"
"""boto3's client of one service. Its methods, named after the service's operations, return records."""

Record = Mapping[str, Any]
"""A part of an AWS response, with AWS's own keys."""


def open_session(deployer: Deployer, *, session_name: str, config: "Config") -> "boto3.Session":
    """Return a session with the identity of a stack's AWS provider. Raises boto3's errors.

    Args:
        deployer: The region, and the profile and role if there are any.
        session_name: The session's name in CloudTrail when a role is assumed.
        config: Limits of the request for the role.
    """
    import boto3

    session = boto3.Session(profile_name=deployer.profile, region_name=deployer.region)
    if not deployer.role_arn:
        return session
    sts = session.client("sts", region_name=deployer.region, config=config)
    secret = {"ExternalId": deployer.external_id} if deployer.external_id else {}
    taken = sts.assume_role(RoleArn=deployer.role_arn, RoleSessionName=session_name, **secret)["Credentials"]
    return boto3.Session(
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
        region_name=deployer.region,
    )


def tags_of(listed: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Return AWS's list of tags as a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in listed or ()}
