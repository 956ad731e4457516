"""Costs of leftovers: list prices of us-east-1, each with its source and date."""

from dataclasses import dataclass

from vllm_eks.planner.hardware.instances import catalogue
from vllm_eks.planner.hardware.prices import instance_price_source, list_prices
from vllm_eks.planner.search.cost import HOURS_PER_MONTH

REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class UnitPrice:
    """The price of one resource, without usage-based charges."""

    of: str
    usd: float
    per: str
    """`hour`, `month` or `GB-month`."""
    source: str
    """Where it was read, and the date."""

    @property
    def text(self) -> str:
        """The price and its source, as text."""
        return f"{self.of} ${self.usd:g} per {self.per} ({self.source})"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one resource, and the price behind it."""

    usd_per_month: float
    price: UnitPrice

    @property
    def usd_per_hour(self) -> float:
        """The cost per hour."""
        return self.usd_per_month / HOURS_PER_MONTH


def _listed(name: str, of: str, per: str) -> UnitPrice:
    price = list_prices(REGION)[name]
    return UnitPrice(of=of, usd=price.usd, per=per, source=f"{price.source}, {price.date}")


NAT_GATEWAY = _listed("nat_gateway_hour", "NAT gateway", "hour")
ADDRESS = _listed("public_ipv4_hour", "public IPv4 address", "hour")
CONTROL_PLANE = _listed("control_plane_hour", "EKS control plane", "hour")
ENDPOINT = _listed("interface_endpoint_hour", "interface endpoint, each zone,", "hour")
KEY = _listed("kms_key_month", "KMS key", "month")
LOGS = _listed("logs_gb_month", "stored logs", "GB-month")
LOAD_BALANCER = _listed("load_balancer_hour", "ALB or NLB, without LCUs and addresses,", "hour")
CLASSIC_LOAD_BALANCER = _listed("classic_load_balancer_hour", "classic load balancer", "hour")
VOLUMES = {type_: _listed(f"{type_}_gib_month", type_, "GB-month") for type_ in ("gp2", "gp3")}


def cost(price: UnitPrice, amount: float = 1) -> Cost:
    """Return the cost of `amount` resources or GB."""
    months = HOURS_PER_MONTH if price.per == "hour" else 1
    return Cost(usd_per_month=price.usd * amount * months, price=price)


def volume_cost(type_: str, size_gb: float) -> Cost | None:
    """Return the cost of a volume, or None when the price of its type is unknown."""
    return cost(VOLUMES[type_], size_gb) if type_ in VOLUMES else None


def instance_cost(type_: str) -> Cost | None:
    """Return the cost of an instance from the catalogue, or None when its price is unknown."""
    known = catalogue().get(type_)
    if known is None or known.usd_per_hour is None:
        return None
    return cost(
        UnitPrice(of=type_, usd=known.usd_per_hour, per="hour", source=f"the catalogue: {instance_price_source(known)}")
    )
