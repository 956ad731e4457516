"""List prices by region, each with its date and source. Where a region's price is not known, it is not another's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from vllm_eks.data import DATA
from vllm_eks.planner.hardware.instances import REFERENCE_REGION, InstanceType, known_catalogue

PRICES = DATA / "prices.json"
EVERY_COMMERCIAL_REGION = "*"
OTHER_PARTITIONS = {"cn-": "AWS China", "us-gov-": "AWS GovCloud", "us-iso": "AWS's isolated regions"}
"""Regions whose prices the commercial price list says nothing about, by how their names begin."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """One list price."""

    usd: float
    of: str
    region: str
    date: str
    source: str

    @property
    def where_from(self) -> str:
        """Region, date and source, for people to read."""
        return f"{self.region}, {self.date}, {self.source}"


@cache
def list_prices(region: str) -> Mapping[str, Price]:
    """Return what is known of a region, by the name in data/prices.json."""
    found = {}
    for name, row in json.loads(PRICES.read_text())["prices"].items():
        by_region = row["usd_by_region"]
        one = by_region.get(region) or (None if partition(region) else by_region.get(EVERY_COMMERCIAL_REGION))
        if one:
            found[name] = Price(of=row["of"], region=region, **one)
    return found


def price_dates() -> Mapping[str, str]:
    """Return when the catalogue's prices of instance types were listed, by region."""
    return known_catalogue().head["prices"]


def partition(region: str) -> str | None:
    """Return the part of AWS with prices of its own that a region belongs to; None: commercial AWS.

    >>> partition("us-gov-west-1"), partition("us-west-2")
    ('AWS GovCloud', None)
    """
    return next((name for start, name in OTHER_PARTITIONS.items() if region.startswith(start)), None)


def instance_price_source(instance: InstanceType) -> str:
    """Return where the price of an instance type is from, or that it is not known, for people to read."""
    region = instance.price_region
    if region is None:
        return "as the instance file says" if instance.usd_per_hour is not None else "the instance file names no price"
    if instance.usd_per_hour is not None:
        return f"{region}, on demand, Linux, {price_dates()[region]}"
    return unknown_price(region, instance.usd_per_hour_by_region.get(REFERENCE_REGION))


def unknown_price(region: str, reference_usd: float | None) -> str:
    """Return that a price is not known in a region, with what it is in the reference region.

    >>> unknown_price("eu-central-1", 16.288)
    'unknown in eu-central-1 (16.29 in us-east-1)'
    """
    own = partition(region)
    if own:
        return f"unknown in {region}: {own} has a price list of its own"
    if reference_usd is None or region == REFERENCE_REGION:
        return f"unknown in {region}"
    return f"unknown in {region} ({_figure(reference_usd)} in {REFERENCE_REGION})"


def _figure(usd: float) -> str:
    return f"{usd:.2f}" if usd >= 1 else f"{usd:g}"
