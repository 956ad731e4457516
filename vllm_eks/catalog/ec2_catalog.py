"""Queries AWS for GPU instance types: hardware, zones and prices. Imports boto3, so only the command that needs it
imports it."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3

from vllm_eks.aws.account import LIMITS
from vllm_eks.aws.errors import PermissionDeniedError, aws_errors_explained, is_unknown, known_regions
from vllm_eks.aws.session import Client
from vllm_eks.catalog.catalog_merge import AwsAnswers
from vllm_eks.errors import WrongQuestion, did_you_mean, nearest_names

PRICING_ENDPOINT_REGION = "us-east-1"
"""The Pricing API has the prices of all regions here."""

ON_DEMAND_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
UNCHANGED = "The catalogue is unchanged."

ClientMaker = Callable[[str, str], Client]
"""Creates a boto3 client from a service and a region."""


def new_client(service: str, region: str) -> Client:
    """Return a boto3 client. Throttling is handled by botocore's standard retries."""
    return boto3.Session().client(service, region_name=region, config=LIMITS)


def ask_aws(regions: Sequence[str], price_region: str, *, client: ClientMaker = new_client) -> AwsAnswers:
    """Query AWS for all NVIDIA types in the regions, the zones that offer them, and their prices in the price region.

    Raises:
        WrongQuestion: No credentials, a missing permission, an unreachable region, or no prices for it.
    """
    types: dict[str, dict[str, Any]] = {}
    zone_ids: dict[str, dict[str, list[str]]] = {}
    for region in regions:
        with aws_errors_explained("ec2:DescribeInstanceTypes", region, ending=UNCHANGED):
            ec2 = client("ec2", region)
            pages = ec2.get_paginator("describe_instance_types").paginate()
            types = {record["InstanceType"]: record for page in pages for record in _with_nvidia(page)} | types
        with aws_errors_explained("ec2:DescribeInstanceTypeOfferings", region, ending=UNCHANGED):
            zone_ids[region] = _zone_ids(ec2)
    prices, why = _prices_or_why(price_region, client)
    return AwsAnswers(
        types=types, zone_ids=zone_ids, prices_usd_per_hour=prices, price_region=price_region, why_no_prices=why
    )


def _prices_or_why(region: str, client: ClientMaker) -> tuple[dict[str, float] | None, str]:
    """Return the prices, or why there are none. In that case the catalogue's prices are kept and all else is updated.

    Raises:
        WrongQuestion: The region does not exist.
    """
    try:
        with aws_errors_explained("pricing:GetProducts", PRICING_ENDPOINT_REGION, ending=UNCHANGED):
            prices = _prices(client("pricing", PRICING_ENDPOINT_REGION), region)
    except PermissionDeniedError:
        return None, "these AWS credentials lack the permission pricing:GetProducts"
    except WrongQuestion as error:
        return None, str(error).removesuffix(UNCHANGED).strip().rstrip(".")
    if prices:
        return prices, ""
    if is_unknown(region):
        guess = did_you_mean(nearest_names(region, known_regions()))
        raise WrongQuestion(f"AWS lists no on-demand Linux prices for region {region!r}{guess or '.'} {UNCHANGED}")
    return None, f"AWS lists no on-demand Linux prices for region {region!r}"


def _with_nvidia(page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for record in page["InstanceTypes"]:
        gpus = record.get("GpuInfo", {}).get("Gpus", [])
        if gpus and gpus[0].get("Manufacturer") == "NVIDIA":
            yield record


def _zone_ids(ec2: Client) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for page in ec2.get_paginator("describe_instance_type_offerings").paginate(LocationType="availability-zone-id"):
        for offering in page["InstanceTypeOfferings"]:
            found[offering["InstanceType"]].append(offering["Location"])
    return {type_: sorted(zones) for type_, zones in found.items()}


def _prices(pricing: Client, region: str) -> dict[str, float]:
    """Return USD per hour by type. If two are listed, the higher one, so that a plan never costs more than it says."""
    wanted = {**ON_DEMAND_LINUX, "regionCode": region}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    found: dict[str, float] = {}
    for page in pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters):
        for text in page["PriceList"]:
            product = json.loads(text)
            type_ = product["product"]["attributes"].get("instanceType")
            for usd in _hourly_usd(product):
                if type_ is not None:
                    found[type_] = max(usd, found.get(type_, 0.0))
    return found


def _hourly_usd(product: dict[str, Any]) -> Iterator[float]:
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            # Rows at 0 are for capacity that is paid elsewhere.
            if dimension["unit"] == "Hrs" and usd > 0:
                yield usd
