"""The GPU nodes of a model: zones, number, capacity type, and whether they are parked."""

from dataclasses import dataclass
from typing import Final, Literal

from vllm_eks.planner.search.plan import Plan

CapacityType = Literal["onDemand", "spot", "capacityBlock"]
"""How nodes are paid for, with the stack file's values."""

ON_DEMAND: Final = "onDemand"
SPOT: Final = "spot"
CAPACITY_BLOCK: Final = "capacityBlock"


@dataclass(frozen=True, kw_only=True)
class NodeSpec:
    """The nodes that a plan needs in one zone."""

    instance_type: str
    node_count: int
    capacity_type: CapacityType = ON_DEMAND
    capacity_reservation_id: str | None = None
    """The reservation that all nodes use."""
    capacity_reservation_group_arn: str | None = None
    """The resource group of reservations that all nodes use, instead of a single reservation."""
    reserved_placement_group: str | None = None
    """The placement group of the reservation, if any."""
    close_together: bool
    """Whether the nodes share a placement group, which makes capacity scarcer."""
    efa_interfaces: int = 0
    """Number of network cards with an EFA interface, or 0 without EFA."""
    network_cards: int = 1
    """Of the instance type. If it has more cards than EFA interfaces, the first card has none."""
    has_local_nvme: bool


@dataclass(frozen=True, kw_only=True)
class GpuNodes:
    """A plan with its zones and capacity."""

    plan: Plan
    zones: tuple[str, ...]
    """Availability zones. Each has the same number of replicas and its own node group."""
    capacity_type: CapacityType = ON_DEMAND
    capacity_reservation_id: str | None = None
    capacity_reservation_group_arn: str | None = None
    """A resource group of reservations, instead of a single reservation."""
    placement_group: str | None = None
    """The placement group of the capacity reservation, if any."""
    parked: bool = False
    """Whether no nodes run for now, while everything else remains."""
    efa: bool = False
    """Whether the nodes have EFA interfaces."""

    @property
    def per_zone(self) -> int:
        """Running nodes per zone."""
        return 0 if self.parked else self.plan.nodes_per_zone

    @property
    def total(self) -> int:
        """All running nodes."""
        return len(self.zones) * self.per_zone

    @property
    def running_replicas(self) -> int:
        """Running replicas."""
        return 0 if self.parked else self.plan.replicas

    @property
    def usd_per_hour(self) -> float | None:
        """On-demand price of the running nodes, or None when it is unknown."""
        return 0.0 if self.parked else self.plan.usd_per_hour

    @property
    def spec_per_zone(self) -> NodeSpec:
        """The nodes in each zone's node group."""
        instance = self.plan.instance
        return NodeSpec(
            instance_type=instance.type,
            node_count=self.per_zone,
            capacity_type=self.capacity_type,
            capacity_reservation_id=self.capacity_reservation_id,
            capacity_reservation_group_arn=self.capacity_reservation_group_arn,
            reserved_placement_group=self.placement_group,
            close_together=self.cluster_placement,
            efa_interfaces=instance.efa_interfaces if self.efa else 0,
            network_cards=instance.network_cards,
            has_local_nvme=instance.nvme_gb > 0,
        )

    def group_names(self, stack: str, model: str) -> list[tuple[str, str]]:
        """Return each zone with the resource name of its node group.

        The first zone's node group has no zone in its name. So if the model moves to another zone, its nodes are
        deleted before new ones are created, and if it gets more zones, it keeps its nodes.
        """
        home, *others = self.zones
        return [(home, f"{stack}-{model}"), *((zone, f"{stack}-{model}-{zone}") for zone in others)]

    @property
    def reservation(self) -> str | None:
        """The reservation, or the group of reservations, that the nodes use."""
        return self.capacity_reservation_id or self.capacity_reservation_group_arn

    @property
    def cluster_placement(self) -> bool:
        """Whether the nodes must be close together, because pipeline stages communicate over the network."""
        return self.plan.nodes_per_replica > 1

    @property
    def stands_anywhere(self) -> bool:
        """Whether the nodes may be anywhere in their zone, without a placement group or Capacity Block."""
        return self.capacity_type == ON_DEMAND and bool(self.reservation) and not self.placement_group

    @property
    def kind(self) -> str:
        """The capacity and the placement group of the nodes, as text."""
        if self.capacity_type == CAPACITY_BLOCK:
            return f"Capacity Block {self.capacity_reservation_id}"
        if self.reservation:
            return f"reservation {self.reservation}, placement group {self.placement_group or 'none'}"
        placement = "one placement group" if self.cluster_placement else "no placement group"
        return f"{'spot, ' if self.capacity_type == SPOT else ''}{placement}"
