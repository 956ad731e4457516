"""What the zones, the replicas and the capacity of one model must agree on.

A bad value is None in a parsed section (`config.sections`) and is passed over: its own fault is enough.
"""

from collections.abc import Iterator, Sequence

from pydantic.alias_generators import to_camel

from config.errors import Fault
from config.settings.model import ModelSettings
from config.values import rules
from vllm_eks.planner.search.gpu_nodes import CAPACITY_BLOCK, SPOT
from vllm_eks.stack_files.wording import key_path

RESERVATIONS = {"capacity_reservation_id", "capacity_reservation_group_arn"}
"""The fields that name where nodes are taken from."""


def capacity_faults(model: ModelSettings, network_zones: Sequence[str], key: str) -> Iterator[Fault]:
    """Yield the faults of one model; `network_zones` are the network's, as far as they are good."""
    yield from _zones_are_given_once(model, key)
    yield from _zones_are_in_the_network(model, network_zones, key)
    yield from _replicas_fill_the_zones(model, key)
    yield from _reservation_suits_the_zones(model, key)
    yield from _capacity_type_has_what_it_needs(model, key)


def _zones_are_given_once(model: ModelSettings, key: str) -> Iterator[Fault]:
    # A bad value counts as given: its own fault is enough.
    given = {"zone", "zones"} & model.model_fields_set
    if not given:
        yield Fault(key=key_path(key, "zone"), text="is missing: give the zone of its GPU nodes, one of network.zones")
    if len(given) == 2:
        yield Fault(key=key_path(key, "zones"), text="conflicts with zone: keep one of them")


def _zones_are_in_the_network(model: ModelSettings, network_zones: Sequence[str], key: str) -> Iterator[Fault]:
    if not network_zones:
        return
    places = [("zone",)] if model.zone else [("zones", index) for index in range(len(model.zones or ()))]
    for place, zone in zip(places, (model.zone,) if model.zone else model.zones or (), strict=True):
        if zone not in network_zones:
            listed = rules.list_of(network_zones)
            yield Fault(
                key=key_path(key, *place),
                text=f"{zone!r} is not one of network.zones {listed}: add it there or move the model",
            )


def _replicas_fill_the_zones(model: ModelSettings, key: str) -> Iterator[Fault]:
    zones = len(model.zones or ())
    if model.zone or zones < 2 or not model.replicas or model.replicas % zones == 0:
        return
    above = -(-model.replicas // zones) * zones
    below = above - zones
    choice = f"{below} or {above}" if below else str(above)
    number = "1 replica" if model.replicas == 1 else f"{model.replicas} replicas"
    yield Fault(
        key=key_path(key, "replicas"),
        text=f"{number} cannot be spread evenly over {zones} zones: write {choice}, or other zones",
    )


def _reservation_suits_the_zones(model: ModelSettings, key: str) -> Iterator[Fault]:
    if model.capacity_reservation_id and model.zones and not model.zone:
        yield Fault(
            key=key_path(key, "capacityReservationId"),
            text="conflicts with several zones, and a reservation is of one zone: write zone instead of zones",
        )
    if {"capacity_reservation_id", "capacity_reservation_group_arn"} <= model.model_fields_set:
        yield Fault(
            key=key_path(key, "capacityReservationGroupArn"),
            text="is set beside capacityReservationId, and nodes are taken from one of them: remove the other",
        )
    if model.placement_group and not RESERVATIONS & model.model_fields_set:
        yield Fault(
            key=key_path(key, "placementGroup"),
            text="needs capacityReservationId; the stack creates its own placement group where one is useful: "
            "remove it",
        )


def _capacity_type_has_what_it_needs(model: ModelSettings, key: str) -> Iterator[Fault]:
    has_reservation = "capacity_reservation_id" in model.model_fields_set
    for name in RESERVATIONS & model.model_fields_set if model.capacity_type == SPOT else ():
        yield Fault(
            key=key_path(key, to_camel(name)),
            text="conflicts with capacityType: spot, and spot instances never use a reservation: remove one of them",
        )
    if model.capacity_type != CAPACITY_BLOCK:
        return
    if not has_reservation:
        yield Fault(
            key=key_path(key, "capacityReservationId"),
            text="is missing beside capacityType: capacityBlock: give the id of the block you bought (cr-...)",
        )
    if "placement_group" in model.model_fields_set:
        yield Fault(
            key=key_path(key, "placementGroup"),
            text="conflicts with capacityType: capacityBlock, whose instances are close together anyway: remove it",
        )
    if model.instance_type and not model.instance_type.startswith("p"):
        yield Fault(
            key=key_path(key, "capacityType"),
            text=f"capacityBlock is for P types only, and {model.instance_type} has none: write onDemand or spot",
        )
