"""Where a stack lives in AWS, and boto3's session there. The first session loads boto3, which takes half a second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config

Client = Any
"""boto3 gives its clients no static type."""

Record = Mapping[str, Any]
"""A part of an answer of AWS, in AWS's own spelling."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stack lives, and as whom it is asked about."""

    region: str
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    """What the role asks for, if it does."""


def open_session(place: Place, *, session_name: str, config: "Config") -> "boto3.Session":
    """Return a session at a place, in its role if it has one; raises what boto3 raises.

    Args:
        place: The region, and the profile and role if there are any.
        session_name: What CloudTrail shows of a role that is taken.
        config: Limits of the request for the role.
    """
    import boto3

    session = boto3.Session(profile_name=place.profile, region_name=place.region)
    if not place.role_arn:
        return session
    sts = session.client("sts", region_name=place.region, config=config)
    secret = {"ExternalId": place.external_id} if place.external_id else {}
    taken = sts.assume_role(RoleArn=place.role_arn, RoleSessionName=session_name, **secret)["Credentials"]
    return boto3.Session(
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
        region_name=place.region,
    )


def tags_of(listed: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Return tags as a mapping; AWS lists them."""
    return {tag["Key"]: tag.get("Value", "") for tag in listed or ()}
