"""Checks that the zones, replicas and capacity of a model are consistent.

An invalid value is None in a parsed section (`config.sections`) and is skipped, because it has an error already.
"""

from collections.abc import Iterator, Sequence

from pydantic.alias_generators import to_camel

from config.errors import ConfigError
from config.settings.model import ModelSettings
from config.values import rules
from vllm_eks.planner.search.gpu_nodes import CAPACITY_BLOCK, SPOT
from vllm_eks.stack_files.wording import key_path

RESERVATIONS = {"capacity_reservation_id", "capacity_reservation_group_arn"}
"""The fields that select the capacity of the nodes."""


def capacity_errors(model: ModelSettings, network_zones: Sequence[str], key: str) -> Iterator[ConfigError]:
    """Yield the errors of one model. `network_zones` are the network's valid zones."""
    yield from _zones_are_given_once(model, key)
    yield from _zones_are_in_the_network(model, network_zones, key)
    yield from _replicas_fill_the_zones(model, key)
    yield from _reservation_suits_the_zones(model, key)
    yield from _capacity_type_has_what_it_needs(model, key)


def _zones_are_given_once(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    # An invalid value counts as set, because it has an error already.
    given = {"zone", "zones"} & model.model_fields_set
    if not given:
        yield ConfigError(
            key=key_path(key, "zone"), text="is missing: set the zone of its GPU nodes, one of network.zones"
        )
    if len(given) == 2:
        yield ConfigError(key=key_path(key, "zones"), text="conflicts with zone: keep only one")


def _zones_are_in_the_network(model: ModelSettings, network_zones: Sequence[str], key: str) -> Iterator[ConfigError]:
    if not network_zones:
        return
    places = [("zone",)] if model.zone else [("zones", index) for index in range(len(model.zones or ()))]
    for place, zone in zip(places, (model.zone,) if model.zone else model.zones or (), strict=True):
        if zone not in network_zones:
            listed = rules.list_of(network_zones)
            yield ConfigError(
                key=key_path(key, *place),
                text=f"{zone!r} is not in network.zones {listed}: add it there, or choose another zone",
            )


def _replicas_fill_the_zones(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    zones = len(model.zones or ())
    if model.zone or zones < 2 or not model.replicas or model.replicas % zones == 0:
        return
    above = -(-model.replicas // zones) * zones
    below = above - zones
    choice = f"{below} or {above}" if below else str(above)
    number = "1 replica" if model.replicas == 1 else f"{model.replicas} replicas"
    yield ConfigError(
        key=key_path(key, "replicas"),
        text=f"{number} cannot be spread evenly over {zones} zones: set {choice}, or change the zones",
    )


def _reservation_suits_the_zones(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    if model.capacity_reservation_id and model.zones and not model.zone:
        yield ConfigError(
            key=key_path(key, "capacityReservationId"),
            text="conflicts with zones, because a reservation is in one zone: set zone instead",
        )
    if {"capacity_reservation_id", "capacity_reservation_group_arn"} <= model.model_fields_set:
        yield ConfigError(
            key=key_path(key, "capacityReservationGroupArn"),
            text="conflicts with capacityReservationId, because nodes come from only one of them: remove the other",
        )
    if model.placement_group and not RESERVATIONS & model.model_fields_set:
        yield ConfigError(
            key=key_path(key, "placementGroup"),
            text="needs capacityReservationId: remove it, because the stack creates its own placement group when it "
            "needs one",
        )


def _capacity_type_has_what_it_needs(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    has_reservation = "capacity_reservation_id" in model.model_fields_set
    for name in RESERVATIONS & model.model_fields_set if model.capacity_type == SPOT else ():
        yield ConfigError(
            key=key_path(key, to_camel(name)),
            text="conflicts with capacityType: spot, because spot instances never use a reservation: remove one",
        )
    if model.capacity_type != CAPACITY_BLOCK:
        return
    if not has_reservation:
        yield ConfigError(
            key=key_path(key, "capacityReservationId"),
            text="is missing: capacityType: capacityBlock needs the ID of your Capacity Block (cr-...)",
        )
    if "placement_group" in model.model_fields_set:
        yield ConfigError(
            key=key_path(key, "placementGroup"),
            text="conflicts with capacityType: capacityBlock, whose instances are always close together: remove it",
        )
    if model.instance_type and not model.instance_type.startswith("p"):
        yield ConfigError(
            key=key_path(key, "capacityType"),
            text=f"capacityBlock is only for P types, and not for {model.instance_type}: set onDemand or spot",
        )
