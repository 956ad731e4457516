"""What the ids, names and ARNs of AWS that a stack file holds may look like; as in `config.rules`."""

import re

S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.=+-]+)+")
CLUSTER_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
CAPACITY_RESERVATION = re.compile(r"cr-[0-9a-f]{8,32}")
PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(user|role)/\S+")
SESSION = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")


def vpc_id(value: str) -> str:
    """Accept the id of a VPC."""
    return _resource_id(value, "vpc", "a VPC")


def subnet_id(value: str) -> str:
    """Accept the id of a subnet."""
    return _resource_id(value, "subnet", "a subnet")


def capacity_reservation(value: str) -> str:
    """Accept the id of a capacity reservation or a Capacity Block."""
    if not CAPACITY_RESERVATION.fullmatch(value):
        raise ValueError(f"{value!r} is not the id of a capacity reservation: write one such as cr-0123456789abcdef0")
    return value


def cluster_name(value: str) -> str:
    """Accept the name of an EKS cluster."""
    if not CLUSTER_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not the name of an EKS cluster: letters, digits, - and _, at most 100 in all")
    return value


def principal_arn(value: str) -> str:
    """Accept an IAM user or role, which is what an EKS access entry names."""
    if PRINCIPAL.fullmatch(value):
        return value
    if session := SESSION.fullmatch(value):
        partition, account, role = session.groups()
        raise ValueError(
            f"{value!r} is a session, not a principal: write its role's ARN, such as "
            f"arn:{partition}:iam::{account}:role/{role} (with the role's path, if it has one)"
        )
    raise ValueError(
        f"{value!r} is not the ARN of an IAM user or role: write one such as arn:aws:iam::123456789012:role/admin"
    )


def _resource_id(value: str, prefix: str, kind: str) -> str:
    if not re.fullmatch(rf"{prefix}-[0-9a-f]{{8,32}}", value):
        raise ValueError(f"{value!r} is not the id of {kind}: write one such as {prefix}-0123456789abcdef0")
    return value


def s3_uri(value: str) -> str:
    """Accept the place of weights in S3: a bucket, and a prefix without a slash at its end."""
    match = S3_URI.fullmatch(value)
    if not match:
        raise ValueError(
            f"{value!r} is not a place in S3: write s3://bucket/prefix, the prefix being the folder of config.json"
        )
    return value
