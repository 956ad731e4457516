"""AWS for the catalogue's tests: EC2 from moto, limited to a few types, and prices from botocore's Stubber.

boto3 and moto are imported inside the functions, because together they take seconds and only these tests need them.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.catalog.catalog_file import read_catalogue
from vllm_eks.planner.hardware.instances import InstanceType

LISTED = ("g5.xlarge", "g5.48xlarge", "g5g.xlarge", "g6f.large", "p3dn.24xlarge", "t3.micro")
PRICES = {"g5.xlarge": 1.006, "g5.48xlarge": 17.5, "p3dn.24xlarge": 31.212, "t3.micro": 0.0104}
TODAY = "2026-11-24"


@contextmanager
def few_types() -> Iterator[None]:
    """Limit moto's EC2 answers to LISTED in us-west-2, because all of them take seconds to send."""
    from moto.ec2.models import instance_types

    offerings = instance_types.INSTANCE_TYPE_OFFERINGS
    offered = [one for one in offerings["availability-zone-id"]["us-west-2"] if one["InstanceType"] in LISTED]
    few = [instance_types.InstanceType(name) for name in LISTED]
    few.append(from_another_maker(few[0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instance_types.InstanceTypeBackend, "instance_types", few)
        patch.setitem(offerings, "availability-zone-id", {"us-west-2": offered})
        yield


def from_another_maker(one: Any) -> Any:
    """A type whose GPU is not from NVIDIA, which moto lacks."""
    other = type(one)(one.name)
    (gpu,) = one["GpuInfo"]["Gpus"]
    other.update(InstanceType="g4ad.xlarge", GpuInfo={"Gpus": [{**gpu, "Manufacturer": "AMD"}]})
    return other


def product(type_: str, usd: float, unit: str = "Hrs") -> str:
    dimension = {"unit": unit, "pricePerUnit": {"USD": f"{usd:.10f}"}}
    term = {"priceDimensions": {"sku.term.rate": dimension}}
    return json.dumps({"product": {"attributes": {"instanceType": type_}}, "terms": {"OnDemand": {"sku.term": term}}})


def products() -> list[str]:
    """The price list. Its last rows do not count: capacity that is paid elsewhere, no hourly price, a lower price."""
    priced = [product(type_, usd) for type_, usd in PRICES.items()]
    return [*priced, product("p5e.48xlarge", 0), product("g6f.large", 9, "Quantity"), product("g5.xlarge", 0.5)]


def clients(
    *,
    listed: list[str] | None = None,
    price_region: str = "us-east-1",
    failing: dict[str, tuple[str, str]] | None = None,
) -> Callable[[str, str], Any]:
    """A function that creates clients: EC2 from moto, prices from a Stubber, and errors for the operations in
    `failing`.

    Moto has no price list, so a Stubber answers get_products. It also checks the requests.
    """
    from botocore.stub import Stubber

    from vllm_eks.catalog.ec2_catalog import new_client

    wanted = {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
        "regionCode": price_region,
    }
    asked = {
        "ServiceCode": "AmazonEC2",
        "Filters": [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()],
    }

    def make(service: str, region: str) -> Any:
        client = new_client(service, region)
        assert service == "ec2" or (service, region) == ("pricing", "us-east-1")
        stubber = Stubber(client)
        if service in (failing or {}):
            stubber.add_client_error(*(failing or {})[service], "Text of AWS.")
            stubber.activate()
        elif service == "pricing":
            stubber.add_response("get_products", {"PriceList": products() if listed is None else listed}, asked)
            stubber.activate()
        return client

    return make


def refresh(file: Path, *, regions: tuple[str, ...] = ("us-west-2",), today: str = TODAY, **answers: Any) -> None:
    from vllm_eks.cli.catalog import run_refresh

    price_region = answers.get("price_region", "us-east-1")
    run_refresh(regions, price_region, file=file, client=clients(**answers), today=today)


def rows_of(file: Path) -> dict[str, InstanceType]:
    return {row.type: row for row in read_catalogue(file)[1]}
