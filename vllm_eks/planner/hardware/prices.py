"""List prices by region, each with its date and source. Prices of other regions are never substituted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from vllm_eks.data import DATA
from vllm_eks.json_fields import Fields
from vllm_eks.planner.hardware.instances import REFERENCE_REGION, InstanceType, known_catalogue

PRICES = DATA / "prices.json"
OTHER_PARTITIONS = {"cn-": "AWS China", "us-gov-": "AWS GovCloud", "us-iso": "AWS's isolated regions"}
"""Prefixes of regions whose prices say nothing about the others, and the reverse."""


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
        """Region, date and source, as text."""
        return f"{self.region}, {self.date}, {self.source}"


@cache
def list_prices(region: str) -> Mapping[str, Price]:
    """Return the known prices in a region, by their names in data/prices.json.

    Raises:
        WrongField: A row of the file lacks a field, or has one of another name or type.
    """
    prices: dict[str, Price] = {}
    for name, row in json.loads(PRICES.read_text())["prices"].items():
        for one in row["lists"]:
            fields = Fields(one, where=f"{PRICES.name}: {name}")
            date, source = fields.required("date", str), fields.required("source", str)
            usd = fields.by_name("usd_by_region", float).get(region)
            fields.end()
            if usd is not None:
                prices[name] = Price(usd=usd, of=row["of"], region=region, date=date, source=source)
    return prices


def price_dates() -> Mapping[str, str]:
    """Return the dates of the instance prices, by region."""
    return known_catalogue().head["prices"]


def partition(region: str) -> str | None:
    """Return the AWS partition of a region if it has its own prices, or None for commercial AWS.

    >>> partition("us-gov-west-1"), partition("us-west-2")
    ('AWS GovCloud', None)
    """
    return next((name for start, name in OTHER_PARTITIONS.items() if region.startswith(start)), None)


def instance_price_source(instance: InstanceType) -> str:
    """Return the source of an instance type's price, or that it is unknown, as text."""
    region = instance.price_region
    if region is None:
        return "from the instance file" if instance.usd_per_hour is not None else "not in the instance file"
    if instance.usd_per_hour is not None:
        return f"{region}, on demand, Linux, {price_dates()[region]}"
    return unknown_price(region, instance.usd_per_hour_by_region.get(REFERENCE_REGION))


def unknown_price(region: str, reference_usd: float | None) -> str:
    """Return a note that a price is unknown in a region, with the price in the reference region.

    >>> unknown_price("eu-central-1", 16.288)
    'unknown in eu-central-1 (16.29 in us-east-1)'
    """
    own = partition(region)
    if own:
        return f"unknown in {region}: {own} has its own prices"
    if reference_usd is None or region == REFERENCE_REGION:
        return f"unknown in {region}"
    return f"unknown in {region} ({_figure(reference_usd)} in {REFERENCE_REGION})"


def _figure(usd: float) -> str:
    return f"{usd:.2f}" if usd >= 1 else f"{usd:g}"
