"""Checks that each capacity reservation has room for the nodes of its models."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from checks.asking import Question, ask, error_code
from checks.site import Site, own_instances
from vllm_eks.aws.session import Record
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import CAPACITY_BLOCK, GpuNodes

UNKNOWN_ID = "InvalidCapacityReservationId"


@dataclass(frozen=True, kw_only=True)
class FoundReservations:
    """The checks of all reservations, and the ends of Capacity Blocks."""

    checks: tuple[Check, ...]
    block_ends: Mapping[str, datetime]
    """By model. Without the models whose reservation has no end or is unknown."""


def find_reservations(fleet: Mapping[str, GpuNodes], site: Site) -> FoundReservations:
    """Return the checks of each reservation in the stack. Models may share a reservation."""
    by_id: dict[str, dict[str, GpuNodes]] = {}
    for name, nodes in fleet.items():
        if nodes.capacity_reservation_id:
            by_id.setdefault(nodes.capacity_reservation_id, {})[name] = nodes
    checks: list[Check] = []
    block_ends: dict[str, datetime] = {}
    for reservation_id, models in by_id.items():
        question = Question(
            subject=f"capacity reservation {reservation_id} holds the nodes of {' and '.join(models)}",
            actions="ec2:DescribeCapacityReservations",
            command="aws ec2 describe-capacity-reservations "
            f"--capacity-reservation-ids {reservation_id} --region {site.region}",
        )
        found = ask(question, partial(_look_up, reservation_id, site))
        if isinstance(found, Check):
            checks.append(found)
            continue
        checks += _reservation(reservation_id, found, models, question, site)
        if found and found.get("ReservationType") == "capacity-block" and "EndDate" in found:
            block_ends.update((name, found["EndDate"]) for name in models)
    return FoundReservations(checks=tuple(checks), block_ends=block_ends)


def _reservation(
    reservation_id: str, found: Record | None, models: Mapping[str, GpuNodes], question: Question, site: Site
) -> Iterator[Check]:
    seen = Question(
        subject=question.subject,
        actions="ec2:DescribeInstances",
        command="aws ec2 describe-instances "
        f"--filters Name=capacity-reservation-id,Values={reservation_id} --region {site.region}",
    )
    running = ask(seen, lambda: _own_nodes_in(reservation_id, site))
    own = None if isinstance(running, Check) else running
    if found is None:
        text = f"{reservation_id} does not exist in {site.region} of this account: correct the id, or the region"
        yield from (_of_state(name, text, nodes) for name, nodes in models.items())
        return
    needed = sum(nodes.total for nodes in models.values())
    # Running nodes need no more room, so the end of the reservation does not affect this update.
    more = needed if own is None else max(needed - own, 0)
    problems = [
        *(_failed(name, text) for name, nodes in models.items() for text in _mismatches(found, nodes)),
        *_state_problems(found, models, more),
        *_too_small(found, models, needed, own),
        *(() if own is not None else _not_seen(found, needed, question, running)),
    ]
    yield from problems
    if not problems:
        text = f"{found['TotalInstanceCount']} x {found['InstanceType']} in {found['AvailabilityZone']}, "
        yield Check(subject=question.subject, status="passed", text=text + found["State"])


def _look_up(reservation_id: str, site: Site) -> Record | None:
    """Return the reservation, or None when it does not exist."""
    try:
        found = site.api.pages(
            "ec2",
            "describe_capacity_reservations",
            "CapacityReservations",
            CapacityReservationIds=[reservation_id],
        )
    except Exception as error:
        if error_code(error).startswith(UNKNOWN_ID):
            return None
        raise
    return found[0] if found else None


def _own_nodes_in(reservation_id: str, site: Site) -> int:
    return sum(one.reservation_id == reservation_id for one in own_instances(site))


def _mismatches(found: Record, nodes: GpuNodes) -> Iterator[str]:
    id_, (zone,), needed_type = found["CapacityReservationId"], nodes.zones, nodes.plan.instance.type
    if found["InstanceType"] != needed_type:
        yield f"{id_} is for {found['InstanceType']}, and the model's instanceType is {needed_type}"
    if found["AvailabilityZone"] != zone:
        yield f"{id_} is in {found['AvailabilityZone']}, and the model's zone is {zone}"
    kind = found.get("ReservationType")
    if kind == "capacity-block" and nodes.capacity_type != CAPACITY_BLOCK:
        yield f"{id_} is a Capacity Block: set capacityType: capacityBlock"
    if nodes.capacity_type == CAPACITY_BLOCK and kind and kind != "capacity-block":
        yield f"{id_} is an on-demand reservation, not a Capacity Block: remove capacityType"
    if kind != "capacity-block":
        yield from _placement(found, nodes)


def _placement(found: Record, nodes: GpuNodes) -> Iterator[str]:
    id_, group = found["CapacityReservationId"], found.get("PlacementGroupArn", "").rpartition("/")[2]
    if group and nodes.placement_group is None:
        yield (
            f"{id_} belongs to the placement group {group}, and only its instances can use it: set "
            f"placementGroup: {group}"
        )
    elif group and nodes.placement_group != group:
        yield (
            f"{id_} belongs to the placement group {group}, not to {nodes.placement_group}: set placementGroup: {group}"
        )
    elif nodes.placement_group and not group:
        yield (
            f"{id_} belongs to no placement group, and instances in {nodes.placement_group} cannot use it: remove "
            "placementGroup, or create a reservation in that group"
        )


def _state_problems(found: Record, models: Mapping[str, GpuNodes], more: int) -> Iterator[Check]:
    """Yield a check when the reservation is not active. That prevents new nodes and does not affect running ones."""
    if found["State"] == "active":
        return
    starts = f" (it starts on {found['StartDate']:%Y-%m-%d %H:%M} UTC)" if found["State"] == "scheduled" else ""
    text = f"{found['CapacityReservationId']} is {found['State']}{starts}, not active"
    for name, nodes in models.items():
        if more or nodes.parked:
            yield _of_state(name, f"{text}: no node can start in it", nodes)
        else:
            yield _of_state(name, f"{text}: its nodes run, but no other node can start", nodes, stops=False)


def _of_state(name: str, text: str, nodes: GpuNodes, *, stops: bool = True) -> Check:
    if nodes.parked:
        return _warning(name, f"{text}; the model is parked, so this matters only when it runs again")
    return _failed(name, text) if stops else _warning(name, text)


def _too_small(found: Record, models: Mapping[str, GpuNodes], needed: int, own: int | None) -> Iterator[Check]:
    id_, total, free = found["CapacityReservationId"], found["TotalInstanceCount"], found["AvailableInstanceCount"]
    names = " and ".join(models)
    needs = f"{names} need{'s' * (len(models) == 1)} {needed} nodes"
    if total < needed:
        yield _failed(names, f"{id_} has room for {total}, and {needs}")
    elif own is not None and needed - own > free and found["State"] == "active":
        others = total - free - own
        yield _failed(names, f"{id_} has room for {total}, others use {others}, and {needs}")


def _not_seen(found: Record, needed: int, question: Question, why: object) -> Iterator[Check]:
    total, free = found["TotalInstanceCount"], found["AvailableInstanceCount"]
    if free < needed <= total and isinstance(why, Check):
        text = f"{found['CapacityReservationId']} has {free} of {total} free, and it is unknown who uses the rest: "
        yield Check(subject=question.subject, status="unknown", text=text + why.text)


def _failed(name: str, text: str) -> Check:
    return Check(subject=f"models.{name}.capacityReservationId", status="failed", text=text)


def _warning(name: str, text: str) -> Check:
    return Check(subject=f"models.{name}.capacityReservationId", status="warning", text=text)
