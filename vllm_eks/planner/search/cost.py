"""What a stack costs by the hour and the month, by part, from list prices each with its date and source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.hardware.prices import instance_price_source, list_prices, unknown_price
from vllm_eks.planner.search.fit import DOWNLOAD_FACTOR
from vllm_eks.planner.search.gpu_nodes import SPOT, GpuNodes
from vllm_eks.planner.search.plan import Plan

HOURS_PER_MONTH = 730
"""As AWS's own calculator counts: 365 x 24 / 12."""
BYTES_PER_GB = 1e9
"""Data transfer is billed in GB, not GiB."""


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    """What a stack makes beside its GPU nodes, as numbers of things billed."""

    control_planes: int = 0
    system_nodes: int = 0
    system_instance_type: str = "m7i.large"
    nat_gateways: int = 0
    public_addresses: int = 0
    root_volumes_gib: int = 0
    """Of all nodes that run, GPU nodes too."""
    kms_keys: int = 0


@dataclass(frozen=True, kw_only=True)
class CostPart:
    """One line of the bill."""

    part: str
    what: str
    usd_per_hour: float | None
    """None: not known."""
    price_of: str
    """Where and when the price is from."""

    @property
    def usd_per_month(self) -> float | None:
        """The same for a month of 730 hours."""
        return None if self.usd_per_hour is None else self.usd_per_hour * HOURS_PER_MONTH


def cost_parts(fleet: Mapping[str, GpuNodes], made: Infrastructure, region: str) -> list[CostPart]:
    """Return the bill by part: the GPU nodes of each model, then what the cluster and the network cost all the same."""
    return [*(_gpu_nodes(name, nodes) for name, nodes in fleet.items()), *_infrastructure(made, region)]


def known_usd(parts: Sequence[CostPart]) -> float:
    """Return the sum an hour of the parts whose price is known."""
    return sum(part.usd_per_hour for part in parts if part.usd_per_hour is not None)


def total_usd(parts: Sequence[CostPart]) -> float | None:
    """Return the sum of all parts an hour; None where one is unknown."""
    return None if any(part.usd_per_hour is None for part in parts) else known_usd(parts)


def _gpu_nodes(name: str, nodes: GpuNodes) -> CostPart:
    instance = nodes.plan.instance
    what = "parked: no node runs" if nodes.parked else f"{nodes.total} x {instance.type}"
    spot = ", on demand: spot is lower and varies" if nodes.capacity_type == SPOT else ""
    return CostPart(
        part=f"GPU nodes of {name}",
        what=what,
        usd_per_hour=nodes.usd_per_hour,
        price_of=f"{instance_price_source(instance)}{spot}",
    )


def _infrastructure(made: Infrastructure, region: str) -> Iterator[CostPart]:
    """Yield the parts that are there; a price by the month is spread over its hours."""
    a_month = 1 / HOURS_PER_MONTH
    for part, number, unit, name, factor in (
        ("control plane", made.control_planes, "EKS", "control_plane_hour", 1.0),
        ("system nodes", made.system_nodes, made.system_instance_type, f"{made.system_instance_type}_hour", 1.0),
        ("NAT gateways", made.nat_gateways, "NAT gateway", "nat_gateway_hour", 1.0),
        ("public addresses", made.public_addresses, "IPv4 address", "public_ipv4_hour", 1.0),
        ("root volumes", made.root_volumes_gib, "GiB of gp3", "gp3_gib_month", a_month),
        ("keys", made.kms_keys, "KMS key", "kms_key_month", a_month),
    ):
        if number:
            found, reference = list_prices(region).get(name), list_prices(REFERENCE_REGION).get(name)
            yield CostPart(
                part=part,
                what=f"{number} x {unit}",
                usd_per_hour=number * found.usd * factor if found else None,
                price_of=found.where_from if found else unknown_price(region, reference.usd if reference else None),
            )


def saved_usd_per_hour(nodes: GpuNodes) -> float | None:
    """Return what a parked model saves: the on-demand price of its nodes; None where that is unknown."""
    return nodes.plan.usd_per_hour if nodes.parked else 0.0


def s3_usd_per_month(plan: Plan, region: str) -> float | None:
    """Return what a bucket with one copy of the weights costs a month; None where the price is unknown."""
    return _usd(plan.model.weights_bytes / BYTES_PER_GB, "s3_gb_month", region)


def copy_nat_usd(plan: Plan, region: str) -> float | None:
    """Return what NAT charges for the one copy from the Hub into a bucket; None where the price is unknown."""
    return _usd(plan.model.weights_bytes / BYTES_PER_GB, "nat_gateway_gb", region)


def start_gb(plan: Plan) -> float:
    """Return the GB (10**9 bytes) that one start of all replicas fetches: the whole repository on each node."""
    return plan.model.weights_bytes * DOWNLOAD_FACTOR * plan.total_nodes / BYTES_PER_GB


def start_nat_usd(plan: Plan, region: str) -> float | None:
    """Return what NAT charges for the data of one start of all replicas; None where the price is unknown."""
    return _usd(start_gb(plan), "nat_gateway_gb", region)


def _usd(number: float, name: str, region: str) -> float | None:
    found = list_prices(region).get(name)
    return number * found.usd if found else None
