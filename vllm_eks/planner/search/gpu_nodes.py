"""The GPU nodes under one model: in which zones, how many, how they are paid for, and whether they are parked."""

from dataclasses import dataclass
from typing import Any

from vllm_eks.planner.search.plan import Plan

ON_DEMAND, SPOT, CAPACITY_BLOCK = "onDemand", "spot", "capacityBlock"
EKS_CAPACITY_TYPES = {ON_DEMAND: "ON_DEMAND", SPOT: "SPOT", CAPACITY_BLOCK: "CAPACITY_BLOCK"}

ROOT_VOLUME_GIB = 100
"""Root disk of a GPU node: the system alone. Images, logs and weights lie on the local NVMe, which every type has."""

NODE_WEIGHTS_FOLDER = "/mnt/k8s-disks/0/vllm-eks-weights"
"""On the local NVMe of a GPU node, whose user data makes it. What is in it outlives pods, not the instance."""


@dataclass(frozen=True, kw_only=True)
class GpuNodes:
    """What a plan comes to in the cloud."""

    plan: Plan
    zones: tuple[str, ...]
    """Availability zones; each has an equal part of the replicas and a node group of its own."""
    capacity_type: str = ON_DEMAND
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
    def group_settings(self) -> dict[str, Any]:
        """What the node group of each zone is asked for."""
        instance = self.plan.instance
        return {
            "instance_type": instance.type,
            "node_count": self.per_zone,
            "capacity_type": EKS_CAPACITY_TYPES[self.capacity_type],
            "capacity_reservation_id": self.capacity_reservation_id,
            "capacity_reservation_group_arn": self.capacity_reservation_group_arn,
            "cluster_placement": self.cluster_placement,
            "placement_group_name": self.placement_group,
            "efa_interfaces": instance.efa_interfaces if self.efa else 0,
            "network_cards": instance.network_cards,
            "has_local_nvme": instance.nvme_gb > 0,
            # Whatever the source of the weights is today: another user data would replace every node.
            "weights_folder": NODE_WEIGHTS_FOLDER,
            "root_volume_gib": ROOT_VOLUME_GIB,
        }

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
