"""boto3's session where a stack lives. The first session loads boto3, which takes half a second."""

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
"""A part of an answer of AWS, in AWS's own spelling."""


def open_session(deployer: Deployer, *, session_name: str, config: "Config") -> "boto3.Session":
    """Return a session as a stack's deployer; raises what boto3 raises.

    Args:
        deployer: The region, and the profile and role if there are any.
        session_name: What CloudTrail shows of a role that is taken.
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
    """Return tags as a mapping; AWS lists them."""
    return {tag["Key"]: tag.get("Value", "") for tag in listed or ()}
