"""Costs of leftovers: list prices of us-east-1, each with its source and date."""

from dataclasses import dataclass

from vllm_eks.planner.hardware.instances import catalogue
from vllm_eks.planner.hardware.prices import instance_price_source

HOURS_PER_MONTH = 730
REGION = "us-east-1"
NOT_READ = "not looked up"


@dataclass(frozen=True, kw_only=True)
class UnitPrice:
    """The price of one resource, without usage-based charges."""

    of: str
    usd: float
    per: str
    """`hour`, `month` or `GB-month`."""
    source: str
    """Page and date, or NOT_READ."""

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


NAT_GATEWAY = UnitPrice(of="NAT gateway", usd=0.045, per="hour", source="cloudburn.io, 2026-02-24")
ADDRESS = UnitPrice(of="public IPv4 address", usd=0.005, per="hour", source="cloudburn.io, 2026-02-24")
CONTROL_PLANE = UnitPrice(of="EKS control plane", usd=0.10, per="hour", source="cloudburn.io, 2026-04-01")
ENDPOINT = UnitPrice(of="interface endpoint, each zone,", usd=0.01, per="hour", source="cloudcostkit.com, 2026-01-29")
KEY = UnitPrice(of="KMS key", usd=1.0, per="month", source="cloudburn.io, 2026-03-14")
LOGS = UnitPrice(of="stored logs", usd=0.03, per="GB-month", source="c3x.dev, 2026-06")
LOAD_BALANCER = UnitPrice(of="ALB or NLB, without LCUs and addresses,", usd=0.0225, per="hour", source=NOT_READ)
CLASSIC_LOAD_BALANCER = UnitPrice(of="classic load balancer", usd=0.025, per="hour", source=NOT_READ)
VOLUMES = {
    "gp3": UnitPrice(of="gp3", usd=0.08, per="GB-month", source=NOT_READ),
    "gp2": UnitPrice(of="gp2", usd=0.10, per="GB-month", source=NOT_READ),
}


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
