"""What AWS says of its GPU instance types: hardware, zones, prices. Loads boto3: imported by the command that asks."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
from botocore.config import Config

from vllm_eks.aws.errors import NotAllowed, is_unknown, known_regions, told
from vllm_eks.aws.session import Client
from vllm_eks.catalog.catalog_merge import Answers
from vllm_eks.errors import WrongQuestion, did_you_mean, nearest_names

PRICING_ENDPOINT_REGION = "us-east-1"
"""The Pricing API answers for every region from here."""

ON_DEMAND_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
UNCHANGED = "The catalogue is unchanged."

ClientMaker = Callable[[str, str], Client]
"""Makes a boto3 client from a service and a region."""


def new_client(service: str, region: str) -> Client:
    """Return a boto3 client; throttling is left to botocore's standard retries."""
    return boto3.Session().client(service, region_name=region, config=Config(retries={"mode": "standard"}))


def ask_aws(regions: Sequence[str], price_region: str, *, client: ClientMaker = new_client) -> Answers:
    """Ask AWS for every NVIDIA type of the regions, the zones that offer it, and its price in the price region.

    Raises:
        WrongQuestion: No credentials, a permission that is missing, a region that cannot be reached, no prices there.
    """
    types: dict[str, dict[str, Any]] = {}
    zone_ids: dict[str, dict[str, list[str]]] = {}
    for region in regions:
        with told("ec2:DescribeInstanceTypes", region, ending=UNCHANGED):
            ec2 = client("ec2", region)
            pages = ec2.get_paginator("describe_instance_types").paginate()
            types = {record["InstanceType"]: record for page in pages for record in _with_nvidia(page)} | types
        with told("ec2:DescribeInstanceTypeOfferings", region, ending=UNCHANGED):
            zone_ids[region] = _zone_ids(ec2)
    prices, why = _prices_or_why(price_region, client)
    return Answers(
        types=types, zone_ids=zone_ids, prices_usd_per_hour=prices, price_region=price_region, why_no_prices=why
    )


def _prices_or_why(region: str, client: ClientMaker) -> tuple[dict[str, float] | None, str]:
    """Return the prices, or why there are none: then those of the catalogue stay, and everything else is refreshed.

    Raises:
        WrongQuestion: There is no such region.
    """
    try:
        with told("pricing:GetProducts", PRICING_ENDPOINT_REGION, ending=UNCHANGED):
            prices = _prices(client("pricing", PRICING_ENDPOINT_REGION), region)
    except NotAllowed:
        return None, "these AWS credentials may not call pricing:GetProducts"
    except WrongQuestion as fault:
        return None, str(fault).removesuffix(UNCHANGED).strip().rstrip(".")
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
    """Return USD an hour by type; where two are listed, the higher, so that no plan is dearer than it says."""
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
            # Rows at 0 are capacity paid for elsewhere, not a price.
            if dimension["unit"] == "Hrs" and usd > 0:
                yield usd
