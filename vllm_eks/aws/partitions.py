"""The AWS partition of a region, for ARNs."""

_PARTITION_BY_PREFIX = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}
"""As in botocore's list of partitions. A test compares them."""


def aws_partition(region: str) -> str:
    """Return the partition of a region, derived from its name without a call to AWS.

    >>> aws_partition("us-west-2"), aws_partition("us-gov-west-1")
    ('aws', 'aws-us-gov')
    """
    return next((name for prefix, name in _PARTITION_BY_PREFIX.items() if region.startswith(prefix)), "aws")
