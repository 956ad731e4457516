"""The GPU nodes under one model: in which zones, how many, how they are paid for, and whether they are parked."""

from dataclasses import dataclass
from typing import Final, Literal

from vllm_eks.planner.search.plan import Plan

CapacityType = Literal["onDemand", "spot", "capacityBlock"]
"""How nodes are bought, in the stack file's spelling."""

ON_DEMAND: Final = "onDemand"
SPOT: Final = "spot"
CAPACITY_BLOCK: Final = "capacityBlock"


@dataclass(frozen=True, kw_only=True)
class NodeSpec:
    """What a plan asks of the nodes of one zone."""

    instance_type: str
    node_count: int
    capacity_type: CapacityType = ON_DEMAND
    capacity_reservation_id: str | None = None
    """The reservation that every node is taken from."""
    capacity_reservation_group_arn: str | None = None
    """The resource group of reservations that every node is taken from, in place of one reservation."""
    reserved_placement_group: str | None = None
    """The placement group that the reservation was made in; None: in none."""
    close_together: bool
    """Whether nodes talk to each other enough to share a placement group, which makes capacity scarcer."""
    efa_interfaces: int = 0
    """How many network cards get an EFA interface; 0 leaves EFA off."""
    network_cards: int = 1
    """Of the instance type. Where it has more than EFA interfaces, its first card takes none."""
    has_local_nvme: bool


@dataclass(frozen=True, kw_only=True)
class GpuNodes:
    """What a plan comes to in the cloud."""

    plan: Plan
    zones: tuple[str, ...]
    """Availability zones; each has an equal part of the replicas and a node group of its own."""
    capacity_type: CapacityType = ON_DEMAND
    capacity_reservation_id: str | None = None
    capacity_reservation_group_arn: str | None = None
    """A resource group of reservations, in place of one."""
    placement_group: str | None = None
    """The placement group a capacity reservation was made in; None: in none."""
    parked: bool = False
    """Whether there are no nodes for now, while everything else stays."""
    efa: bool = False
    """Whether the nodes have EFA interfaces."""

    @property
    def per_zone(self) -> int:
        """Nodes that run in each zone."""
        return 0 if self.parked else self.plan.nodes_per_zone

    @property
    def total(self) -> int:
        """Nodes that run."""
        return len(self.zones) * self.per_zone

    @property
    def running_replicas(self) -> int:
        """Copies of the model that run."""
        return 0 if self.parked else self.plan.replicas

    @property
    def usd_per_hour(self) -> float | None:
        """On-demand price of the nodes that run; None where the catalogue has none."""
        return 0.0 if self.parked else self.plan.usd_per_hour

    @property
    def spec_per_zone(self) -> NodeSpec:
        """What the node group of each zone is asked for."""
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

        The home zone's name has no zone in it, so that a model that moves is deleted here before it is made there,
        and one that spreads keeps the nodes it has.
        """
        home, *others = self.zones
        return [(home, f"{stack}-{model}"), *((zone, f"{stack}-{model}-{zone}") for zone in others)]

    @property
    def reservation(self) -> str | None:
        """The reservation, or the group of reservations, that the nodes are taken from."""
        return self.capacity_reservation_id or self.capacity_reservation_group_arn

    @property
    def cluster_placement(self) -> bool:
        """Whether the nodes need to be close together: pipeline stages talk over the network, replicas do not."""
        return self.plan.nodes_per_replica > 1

    @property
    def stands_anywhere(self) -> bool:
        """Whether nothing keeps the nodes of a zone close together, as a placement group or a Capacity Block does."""
        return self.capacity_type == ON_DEMAND and bool(self.reservation) and not self.placement_group

    @property
    def kind(self) -> str:
        """How the nodes are had and what keeps them together, in a few words."""
        if self.capacity_type == CAPACITY_BLOCK:
            return f"Capacity Block {self.capacity_reservation_id}"
        if self.reservation:
            return f"reservation {self.reservation}, placement group {self.placement_group or 'none'}"
        placement = "one placement group" if self.cluster_placement else "no placement group"
        return f"{'spot, ' if self.capacity_type == SPOT else ''}{placement}"
