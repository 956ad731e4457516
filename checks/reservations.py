"""Whether each capacity reservation holds what the models' nodes ask of it."""

from collections.abc import Iterator, Mapping

import pulumi_aws as aws

from checks.asking import Question, ask
from checks.result import Check
from planner.gpu_nodes import CAPACITY_BLOCK, GpuNodes

UNKNOWN_ID = "InvalidCapacityReservationId"


def reservation_checks(fleet: Mapping[str, GpuNodes], region: str) -> Iterator[Check]:
    """Yield the checks of each reservation named in the stack; models may share one."""
    by_id: dict[str, dict[str, GpuNodes]] = {}
    for name, nodes in fleet.items():
        if nodes.capacity_reservation_id:
            by_id.setdefault(nodes.capacity_reservation_id, {})[name] = nodes
    for reservation_id, models in by_id.items():
        yield from _reservation(reservation_id, models, region)


def _reservation(reservation_id: str, models: Mapping[str, GpuNodes], region: str) -> Iterator[Check]:
    question = Question(
        subject=f"capacity reservation {reservation_id} holds the nodes of {' and '.join(models)}",
        actions="ec2:DescribeCapacityReservations",
        command=f"aws ec2 describe-capacity-reservations --capacity-reservation-ids {reservation_id} --region {region}",
    )
    found = ask(question, lambda: _look_up(reservation_id))
    if found is None:
        text = f"{reservation_id} does not exist in {region} of this account: correct the id, or the region"
        yield from (_failed(name, text) for name in models)
        return
    if isinstance(found, Check):
        yield found
        return
    faults = [
        *(_failed(name, fault) for name, nodes in models.items() for fault in _mismatches(found, nodes)),
        *_too_small(found, models),
    ]
    yield from faults
    if not faults:
        text = f"{found.instance_count} x {found.instance_type} in {found.availability_zone}, {found.state}"
        yield Check(subject=question.subject, status="passed", text=text)


def _look_up(reservation_id: str) -> aws.ec2.AwaitableGetCapacityBlockReservationResult | None:
    """Return the reservation, or None where AWS says that there is none of this id."""
    # The only invoke that reads a reservation. It is named for blocks, but asks AWS by the id alone.
    try:
        return aws.ec2.get_capacity_block_reservation(id=reservation_id)
    except Exception as error:
        if UNKNOWN_ID in str(error):
            return None
        raise


def _mismatches(found: aws.ec2.AwaitableGetCapacityBlockReservationResult, nodes: GpuNodes) -> Iterator[str]:
    (zone,), wanted = nodes.zones, nodes.plan.instance.type
    if found.state != "active":
        starts = f" (it starts on {found.start_date})" if found.state == "scheduled" else ""
        yield f"{found.id} is {found.state}{starts}, not active: no node can start in it"
    if found.instance_type != wanted:
        yield f"{found.id} is of {found.instance_type}, and the model runs on {wanted}"
    if found.availability_zone != zone:
        yield f"{found.id} is in {found.availability_zone}, and the model's zone is {zone}"
    is_block = found.reservation_type == "capacity-block"
    if is_block and nodes.capacity_type != CAPACITY_BLOCK:
        yield f"{found.id} is a Capacity Block: write capacityType: capacityBlock"
    if nodes.capacity_type == CAPACITY_BLOCK and found.reservation_type and not is_block:
        yield f"{found.id} is an on-demand reservation, not a Capacity Block: remove capacityType"
    if not is_block:
        yield from _placement(found, nodes)


def _placement(found: aws.ec2.AwaitableGetCapacityBlockReservationResult, nodes: GpuNodes) -> Iterator[str]:
    group = (found.placement_group_arn or "").rpartition("/")[2]
    if group and nodes.placement_group is None:
        yield (
            f"{found.id} was made in the placement group {group}, and serves only instances inside it: write "
            f"placementGroup: {group}"
        )
    elif group and nodes.placement_group != group:
        yield (
            f"{found.id} was made in the placement group {group}, not in {nodes.placement_group}: write "
            f"placementGroup: {group}"
        )
    elif nodes.placement_group and not group:
        yield (
            f"{found.id} was made in no placement group, and instances in {nodes.placement_group} cannot use it: "
            "remove placementGroup, or make a reservation inside that group"
        )


def _too_small(
    found: aws.ec2.AwaitableGetCapacityBlockReservationResult, models: Mapping[str, GpuNodes]
) -> Iterator[Check]:
    # The whole of it, not what is free: this stack's own nodes may run in it already.
    needed = sum(nodes.total for nodes in models.values())
    if found.instance_count < needed:
        names = " and ".join(models)
        text = (
            f"{found.id} has room for {found.instance_count}, and {names} need{'s' * (len(models) == 1)} {needed} nodes"
        )
        yield _failed(names, text)


def _failed(name: str, text: str) -> Check:
    return Check(subject=f"models.{name}.capacityReservationId", status="failed", text=text)
