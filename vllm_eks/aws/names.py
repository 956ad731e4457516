"""Checks IDs, names and ARNs of AWS in a stack file, like `config.values.rules`."""

import re

VPC_ID = re.compile(r"vpc-[0-9a-f]{8,32}")
SUBNET_ID = re.compile(r"subnet-[0-9a-f]{8,32}")
SECURITY_GROUP_ID = re.compile(r"sg-[0-9a-f]{8,32}")
S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.=+-]+)+")
CLUSTER_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
CAPACITY_RESERVATION = re.compile(r"cr-[0-9a-f]{8,32}")
PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(user|role)/\S+")
RESERVATION_GROUP = re.compile(r"arn:aws[a-z-]*:resource-groups:[a-z0-9-]+:\d{12}:group/[\w.-]{1,300}")
POLICY = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/\S+")
ROLE_PATH = re.compile(r"/([\x21-\x2e\x30-\x7e]+/){0,50}")
MAX_ROLE_PATH_CHARACTERS = 512
SYSTEM_INSTANCE_TYPE = re.compile(r"[a-z]+[0-9][a-z0-9-]*\.(medium|(\d*x)?large|metal(-\d+xl)?)")
ARM_FAMILY = re.compile(r"a1|[a-z]+\d+g[a-z]*")
WORKSPACE = re.compile(r"arn:aws[a-z-]*:aps:[a-z0-9-]+:\d{12}:workspace/ws-[0-9a-f-]{36}")
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}")
SESSION = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")


def vpc_id(value: str) -> str:
    """Accept the ID of a VPC."""
    return _resource_id(value, VPC_ID, "vpc", "a VPC")


def subnet_id(value: str) -> str:
    """Accept the ID of a subnet."""
    return _resource_id(value, SUBNET_ID, "subnet", "a subnet")


def capacity_reservation(value: str) -> str:
    """Accept the ID of a capacity reservation or a Capacity Block."""
    return _of_form(value, CAPACITY_RESERVATION, "the ID of a capacity reservation", example="cr-0123456789abcdef0")


def reservation_group(value: str) -> str:
    """Accept the ARN of a resource group of capacity reservations."""
    example = "arn:aws:resource-groups:us-west-2:123456789012:group/gpu-reservations"
    return _of_form(value, RESERVATION_GROUP, "the ARN of a capacity reservation group", example=example)


def workspace_arn(value: str) -> str:
    """Accept the ARN of a workspace of Amazon Managed Service for Prometheus."""
    example = "arn:aws:aps:us-west-2:123456789012:workspace/ws-0123abcd-4567-89ab-cdef-0123456789ab"
    return _of_form(value, WORKSPACE, "the ARN of a Prometheus workspace", example=example)


def topic_arn(value: str) -> str:
    """Accept the ARN of a standard SNS topic."""
    example = "arn:aws:sns:us-west-2:123456789012:alerts"
    return _of_form(value, TOPIC, "the ARN of a standard SNS topic", example=example)


def security_group_id(value: str) -> str:
    """Accept the ID of a security group."""
    return _resource_id(value, SECURITY_GROUP_ID, "sg", "a security group")


def permissions_boundary(value: str) -> str:
    """Accept the ARN of a managed policy."""
    return _of_form(value, POLICY, "the ARN of a managed policy", example="arn:aws:iam::123456789012:policy/boundary")


def role_path(value: str) -> str:
    """Accept the path of IAM roles."""
    if not ROLE_PATH.fullmatch(value) or len(value) > MAX_ROLE_PATH_CHARACTERS:
        raise ValueError(f"{value!r} is not an IAM path: it must begin and end with /, such as /platform/")
    return value


def system_instance_type(value: str) -> str:
    """Accept the instance type of system nodes: x86-64, and large enough for the cluster's own pods."""
    if ARM_FAMILY.fullmatch(value.partition(".")[0]):
        raise ValueError(f"{value!r} is an Arm type, and system nodes must be x86-64: use one such as m7i.large")
    if not SYSTEM_INSTANCE_TYPE.fullmatch(value):
        raise ValueError(
            f"{value!r} is not an instance type for system nodes: use an x86-64 type of size medium or larger, such "
            f"as m7i.large"
        )
    return value


def cluster_name(value: str) -> str:
    """Accept the name of an EKS cluster."""
    if not CLUSTER_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a valid EKS cluster name: use letters, digits, - and _, at most 100")
    return value


def principal_arn(value: str) -> str:
    """Accept an IAM user or role, the principals of EKS access entries."""
    if PRINCIPAL.fullmatch(value):
        return value
    if session := SESSION.fullmatch(value):
        partition, account, role = session.groups()
        raise ValueError(
            f"{value!r} is a session, not a principal: use the ARN of its role, such as "
            f"arn:{partition}:iam::{account}:role/{role} (with the role's path, if it has one)"
        )
    raise ValueError(
        f"{value!r} is not the ARN of an IAM user or role: use one such as arn:aws:iam::123456789012:role/admin"
    )


def _resource_id(value: str, form: re.Pattern[str], prefix: str, kind: str) -> str:
    return _of_form(value, form, f"the ID of {kind}", example=f"{prefix}-0123456789abcdef0")


def _of_form(value: str, form: re.Pattern[str], what: str, *, example: str) -> str:
    if not form.fullmatch(value):
        raise ValueError(f"{value!r} is not {what}: use one such as {example}")
    return value


def s3_uri(value: str) -> str:
    """Accept an S3 location of weights: a bucket, and a prefix without a trailing slash."""
    match = S3_URI.fullmatch(value)
    if not match:
        raise ValueError(
            f"{value!r} is not an S3 location: use s3://bucket/prefix, where the prefix is the folder of config.json"
        )
    return value
