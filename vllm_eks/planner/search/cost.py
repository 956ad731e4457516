"""Hourly and monthly costs of a stack, part by part, from dated and sourced list prices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.hardware.prices import instance_price_source, list_prices, unknown_price
from vllm_eks.planner.search.fit import DOWNLOAD_FACTOR
from vllm_eks.planner.search.gpu_nodes import SPOT, GpuNodes
from vllm_eks.planner.search.plan import Plan

HOURS_PER_MONTH = 730
"""365 x 24 / 12, as in the AWS Pricing Calculator."""
BYTES_PER_GB = 1e9
"""Data transfer is billed in GB, not GiB."""


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    """Counts of the billed resources of a stack, except its GPU nodes."""

    control_planes: int = 0
    system_nodes: int = 0
    system_instance_type: str = "m7i.large"
    nat_gateways: int = 0
    public_addresses: int = 0
    load_balancers: int = 0
    root_volumes_gib: int = 0
    """Total over all running nodes, GPU nodes included."""
    prometheus_volume_gib: int = 0
    kms_keys: int = 0


@dataclass(frozen=True, kw_only=True)
class CostPart:
    """One line of the bill."""

    part: str
    what: str
    usd_per_hour: float | None
    """None when the price is unknown."""
    price_of: str
    """Source and date of the price."""

    @property
    def usd_per_month(self) -> float | None:
        """Cost of a 730-hour month."""
        return None if self.usd_per_hour is None else self.usd_per_hour * HOURS_PER_MONTH


def cost_parts(fleet: Mapping[str, GpuNodes], made: Infrastructure, region: str) -> list[CostPart]:
    """Return the cost of each part: the GPU nodes of each model, then the cluster and the network."""
    return [*(_gpu_nodes(name, nodes) for name, nodes in fleet.items()), *_infrastructure(made, region)]


def known_usd(parts: Sequence[CostPart]) -> float:
    """Return the hourly cost of all parts with a known price."""
    return sum(part.usd_per_hour for part in parts if part.usd_per_hour is not None)


def total_usd(parts: Sequence[CostPart]) -> float | None:
    """Return the hourly cost of all parts, or None when a price is unknown."""
    return None if any(part.usd_per_hour is None for part in parts) else known_usd(parts)


def _gpu_nodes(name: str, nodes: GpuNodes) -> CostPart:
    instance = nodes.plan.instance
    what = "parked: no nodes run" if nodes.parked else f"{nodes.total} x {instance.type}"
    spot = ", on demand: spot is lower and varies" if nodes.capacity_type == SPOT else ""
    return CostPart(
        part=f"GPU nodes of {name}",
        what=what,
        usd_per_hour=nodes.usd_per_hour,
        price_of=f"{instance_price_source(instance)}{spot}",
    )


def _infrastructure(made: Infrastructure, region: str) -> Iterator[CostPart]:
    """Yield each part that the stack has. Monthly prices are divided by the hours of a month."""
    a_month = 1 / HOURS_PER_MONTH
    for part, number, unit, name, factor in (
        ("control plane", made.control_planes, "EKS", "control_plane_hour", 1.0),
        ("system nodes", made.system_nodes, made.system_instance_type, f"{made.system_instance_type}_hour", 1.0),
        ("NAT gateways", made.nat_gateways, "NAT gateway", "nat_gateway_hour", 1.0),
        ("load balancer", made.load_balancers, "application load balancer", "load_balancer_hour", 1.0),
        ("public addresses", made.public_addresses, "IPv4 address", "public_ipv4_hour", 1.0),
        ("root volumes", made.root_volumes_gib, "GiB of gp3", "gp3_gib_month", a_month),
        ("Prometheus volume", made.prometheus_volume_gib, "GiB of gp3", "gp3_gib_month", a_month),
        ("keys", made.kms_keys, "KMS key", "kms_key_month", a_month),
    ):
        if number:
            price, reference = list_prices(region).get(name), list_prices(REFERENCE_REGION).get(name)
            yield CostPart(
                part=part,
                what=f"{number} x {unit}",
                usd_per_hour=number * price.usd * factor if price else None,
                price_of=price.where_from if price else unknown_price(region, reference.usd if reference else None),
            )


def saved_usd_per_hour(nodes: GpuNodes) -> float | None:
    """Return the on-demand price of a parked model's nodes, 0 when it runs, or None when the price is unknown."""
    return nodes.plan.usd_per_hour if nodes.parked else 0.0


def s3_usd_per_month(plan: Plan, region: str) -> float | None:
    """Return the monthly S3 cost of one copy of the weights, or None when the price is unknown."""
    return _usd(plan.model.weights_bytes / BYTES_PER_GB, "s3_gb_month", region)


def copy_nat_usd(plan: Plan, region: str) -> float | None:
    """Return the NAT cost of copying the weights from the Hub to S3 once, or None when the price is unknown."""
    return _usd(plan.model.weights_bytes / BYTES_PER_GB, "nat_gateway_gb", region)


def start_gb(plan: Plan) -> float:
    """Return the GB (10**9 bytes) downloaded when all replicas start: each node downloads the whole repository."""
    return plan.model.weights_bytes * DOWNLOAD_FACTOR * plan.total_nodes / BYTES_PER_GB


def start_nat_usd(plan: Plan, region: str) -> float | None:
    """Return the NAT cost of the downloads when all replicas start, or None when the price is unknown."""
    return _usd(start_gb(plan), "nat_gateway_gb", region)


def _usd(number: float, name: str, region: str) -> float | None:
    price = list_prices(region).get(name)
    return number * price.usd if price else None
