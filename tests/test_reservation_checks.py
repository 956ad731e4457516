"""Capacity reservations: whatever would leave a node group without nodes is told first.

The reservations are stubs of what DescribeCapacityReservations answers; moto has none.
"""

from typing import Any

import pytest
from account import Account
from asking import QWEN_8B, SCOUT, planned

from checks.reservations import reservation_checks
from checks.result import Check
from planner.gpu_nodes import GpuNodes

ID = "cr-0123456789abcdef0"
GOOD = {
    "state": "active",
    "instanceType": "g5.48xlarge",
    "availabilityZone": "us-west-2a",
    "instanceCount": 2,
    "availableInstanceCount": 2,
    "placementGroupArn": "",
    "reservationType": "default",
    "startDate": "2026-12-01T00:00:00Z",
}
BLOCK = {**GOOD, "reservationType": "capacity-block", "instanceType": "p5.48xlarge"}


def nodes(model: str = SCOUT, instance: str = "g5.48xlarge", **how: Any) -> GpuNodes:
    wanted = {"zones": ("us-west-2a",), "capacity_reservation_id": ID, **how}
    return GpuNodes(plan=planned(model, instance), **wanted)


def checked(reservation: dict[str, Any] | None, **fleet: GpuNodes) -> list[Check]:
    account = Account(reservations={ID: reservation} if reservation else {})
    return account.run(lambda: list(reservation_checks(fleet or {"scout": nodes()}, "us-west-2")))


def refusals(reservation: dict[str, Any] | None, **fleet: GpuNodes) -> list[str]:
    found = checked(reservation, **fleet)
    assert {check.status for check in found} == {"failed"}
    assert {check.subject for check in found} == {"models.scout.capacityReservationId"}
    return [check.text for check in found]


def test_a_reservation_that_holds_the_nodes_passes() -> None:
    assert checked(GOOD) == [
        Check(
            subject=f"capacity reservation {ID} holds the nodes of scout",
            status="passed",
            text="2 x g5.48xlarge in us-west-2a, active",
        )
    ]


def test_nodes_that_run_in_it_already_are_no_reason_to_refuse() -> None:
    assert [check.status for check in checked({**GOOD, "availableInstanceCount": 0})] == ["passed"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"availabilityZone": "us-west-2b"}, f"{ID} is in us-west-2b, and the model's zone is us-west-2a"),
        ({"instanceType": "g5.24xlarge"}, f"{ID} is of g5.24xlarge, and the model runs on g5.48xlarge"),
        ({"instanceCount": 1}, f"{ID} has room for 1, and scout needs 2 nodes"),
        ({"state": "cancelled"}, f"{ID} is cancelled, not active: no node can start in it"),
        (
            {"state": "scheduled"},
            f"{ID} is scheduled (it starts on 2026-12-01T00:00:00Z), not active: no node can start in it",
        ),
        (
            {"placementGroupArn": "arn:aws:ec2:us-west-2:123456789012:placement-group/theirs"},
            f"{ID} was made in the placement group theirs, and serves only instances inside it: write "
            "placementGroup: theirs",
        ),
        ({"reservationType": "capacity-block"}, f"{ID} is a Capacity Block: write capacityType: capacityBlock"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_reservation_that_does_not_suit_is_refused(changes: dict[str, Any], text: str) -> None:
    assert refusals({**GOOD, **changes}) == [text]


def test_all_that_is_wrong_with_it_is_told_at_once() -> None:
    wrong = {**GOOD, "availabilityZone": "us-west-2b", "instanceType": "g5.24xlarge", "instanceCount": 1}
    assert len(refusals(wrong)) == 3


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        (
            "arn:aws:ec2:us-west-2:123456789012:placement-group/theirs",
            f"{ID} was made in the placement group theirs, not in ours: write placementGroup: theirs",
        ),
        (
            "",
            f"{ID} was made in no placement group, and instances in ours cannot use it: remove placementGroup, or "
            "make a reservation inside that group",
        ),
    ],
)
def test_a_placement_group_and_a_reservation_that_exclude_each_other_are_told(arn: str, text: str) -> None:
    assert refusals({**GOOD, "placementGroupArn": arn}, scout=nodes(placement_group="ours")) == [text]


def test_the_reservation_s_own_placement_group_passes() -> None:
    inside = {**GOOD, "placementGroupArn": "arn:aws:ec2:us-west-2:123456789012:placement-group/ours"}
    assert [check.status for check in checked(inside, scout=nodes(placement_group="ours"))] == ["passed"]


def test_two_models_may_share_one_that_is_large_enough_and_only_then() -> None:
    fleet = {"scout": nodes(), "qwen3": nodes(QWEN_8B)}
    assert [check.status for check in checked({**GOOD, "instanceCount": 3}, **fleet)] == ["passed"]
    (check,) = checked(GOOD, **fleet)
    assert check.text == f"{ID} has room for 2, and scout and qwen3 need 3 nodes"


def test_a_parked_model_needs_nothing_of_it() -> None:
    assert [check.status for check in checked({**GOOD, "instanceCount": 1}, scout=nodes(parked=True))] == ["passed"]


def test_a_capacity_block_passes_and_an_ordinary_reservation_is_no_block() -> None:
    block = nodes(instance="p5.48xlarge", capacity_type="capacityBlock")
    assert [check.status for check in checked(BLOCK, scout=block)] == ["passed"]
    assert refusals({**BLOCK, "reservationType": "default"}, scout=block) == [
        f"{ID} is an on-demand reservation, not a Capacity Block: remove capacityType"
    ]


def test_of_a_block_no_placement_group_is_asked() -> None:
    inside = {**BLOCK, "placementGroupArn": "arn:aws:ec2:us-west-2:123456789012:placement-group/theirs"}
    block = nodes(instance="p5.48xlarge", capacity_type="capacityBlock")
    assert [check.status for check in checked(inside, scout=block)] == ["passed"]


def test_a_reservation_that_is_not_there_is_refused() -> None:
    assert refusals(None) == [f"{ID} does not exist in us-west-2 of this account: correct the id, or the region"]


def test_without_permission_it_is_unknown_and_the_action_named() -> None:
    account = Account(denied=frozenset({"getCapacityBlockReservation"}))
    (check,) = account.run(lambda: list(reservation_checks({"scout": nodes()}, "us-west-2")))
    assert check == Check(
        subject=f"capacity reservation {ID} holds the nodes of scout",
        status="unknown",
        text="no permission to ask: allow ec2:DescribeCapacityReservations, or run aws ec2 "
        f"describe-capacity-reservations --capacity-reservation-ids {ID} --region us-west-2",
    )
