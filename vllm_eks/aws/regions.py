"""The regions of AWS, so that a misspelled one is detected before a call hangs."""

from vllm_eks.errors import closest_name

REGIONS = (
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
)
"""All regions with EC2 endpoints in botocore, in every partition. A test compares them, so that an update of boto3
shows new ones."""


ASKED_BOTOCORE = "1.44.5"
"""The version whose endpoints WITHOUT_MANAGED_PROMETHEUS comes from."""
WITHOUT_MANAGED_PROMETHEUS = (
    "cn-north-1",
    "cn-northwest-1",
    "eu-isoe-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
)
"""The regions of REGIONS in which botocore has no endpoint of Amazon Managed Service for Prometheus (`amp`)."""


def known_region(value: str) -> str:
    """Accept an AWS region.

    Raises:
        ValueError: AWS has no such region. The text is for a report.
    """
    if value in REGIONS:
        return value
    if value[:-1] in REGIONS:
        raise ValueError(f"{value!r} is a zone, not a region: use {value[:-1]}")
    near = closest_name(value.lower()[:40], REGIONS)
    raise ValueError(
        f"{value!r} is not a region: " + (f"did you mean {near}?" if near else "use one such as us-west-2")
    )
