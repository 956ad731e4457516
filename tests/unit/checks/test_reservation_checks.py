"""Capacity reservations: every reason for missing nodes is reported first.

Moto has none, so their answers are given and checked against botocore's model of EC2.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from checks.reservations import find_reservations
from tests.fakes.aws_account import Account, instance
from tests.support.plans import QWEN_8B, SCOUT, planned
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

pytestmark = pytest.mark.usefixtures("moto_account")

ID = "cr-0123456789abcdef0"
GOOD = {
    "State": "active",
    "InstanceType": "g5.48xlarge",
    "AvailabilityZone": "us-west-2a",
    "TotalInstanceCount": 2,
    "AvailableInstanceCount": 2,
    "ReservationType": "default",
    "StartDate": datetime(2026, 12, 1, tzinfo=UTC),
}
BLOCK = {**GOOD, "ReservationType": "capacity-block", "InstanceType": "p5.48xlarge"}
IN_IT = instance(CapacityReservationId=ID)


def nodes(model: str = SCOUT, instance: str = "g5.48xlarge", **how: Any) -> GpuNodes:
    wanted = {"zones": ("us-west-2a",), "capacity_reservation_id": ID, **how}
    return GpuNodes(plan=planned(model, instance), **wanted)


def checked(reservation: dict[str, Any] | None, own: int = 0, /, **fleet: GpuNodes) -> list[Check]:
    account = Account(reservations={ID: reservation} if reservation else {}, instances=[IN_IT] * own)
    return list(find_reservations(fleet or {"scout": nodes()}, account.site).checks)


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


def test_running_nodes_do_not_count_twice() -> None:
    assert [check.status for check in checked({**GOOD, "AvailableInstanceCount": 0}, 2)] == ["passed"]
    assert [check.status for check in checked({**GOOD, "AvailableInstanceCount": 1}, 1)] == ["passed"]


def test_capacity_that_others_use_is_not_free() -> None:
    (check,) = checked({**GOOD, "TotalInstanceCount": 3, "AvailableInstanceCount": 1})
    assert (check.status, check.text) == (
        "failed",
        f"{ID} has room for 3, others use 2, and scout needs 2 nodes",
    )


@pytest.mark.parametrize("state", ["expired", "cancelled", "scheduled", "failed", "unavailable"])
def test_a_reservation_s_state_does_not_affect_running_nodes_or_parked_models(state: str) -> None:
    for own, fleet in ((2, {"scout": nodes()}), (0, {"scout": nodes(parked=True)})):
        (check,) = checked({**GOOD, "State": state}, own, **fleet)
        assert (check.status, check.subject) == ("warning", "models.scout.capacityReservationId")
        assert check.text.startswith(f"{ID} is {state}")
    # One of two nodes is missing.
    assert [check.status for check in checked({**GOOD, "State": state}, 1)] == ["failed"]


def test_a_parked_model_may_have_a_deleted_reservation() -> None:
    (check,) = checked(None, scout=nodes(parked=True))
    assert (check.status, check.text) == (
        "warning",
        f"{ID} does not exist in us-west-2 of this account: correct the id, or the region; the model is parked, so "
        "this matters only when it runs again",
    )


def test_where_instances_cannot_be_read_the_whole_reservation_counts() -> None:
    full = {**GOOD, "AvailableInstanceCount": 0}
    account = Account(reservations={ID: full}, denied=frozenset({"DescribeInstances"}))
    (check,) = find_reservations({"scout": nodes()}, account.site).checks
    assert (check.status, check.text.split(":")[0]) == (
        "unknown",
        f"{ID} has 0 of 2 free, and it is unknown who uses the rest",
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"AvailabilityZone": "us-west-2b"}, f"{ID} is in us-west-2b, and the model's zone is us-west-2a"),
        ({"InstanceType": "g5.24xlarge"}, f"{ID} is for g5.24xlarge, and the model's instanceType is g5.48xlarge"),
        ({"TotalInstanceCount": 1}, f"{ID} has room for 1, and scout needs 2 nodes"),
        ({"State": "cancelled"}, f"{ID} is cancelled, not active: no node can start in it"),
        (
            {"State": "scheduled"},
            f"{ID} is scheduled (it starts on 2026-12-01 00:00 UTC), not active: no node can start in it",
        ),
        (
            {"PlacementGroupArn": "arn:aws:ec2:us-west-2:123456789012:placement-group/theirs"},
            f"{ID} belongs to the placement group theirs, and only its instances can use it: set "
            "placementGroup: theirs",
        ),
        ({"ReservationType": "capacity-block"}, f"{ID} is a Capacity Block: set capacityType: capacityBlock"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_reservation_that_does_not_suit_is_refused(changes: dict[str, Any], text: str) -> None:
    assert refusals({**GOOD, **changes}) == [text]


def test_all_mismatches_are_reported_at_once() -> None:
    wrong = {**GOOD, "AvailabilityZone": "us-west-2b", "InstanceType": "g5.24xlarge", "TotalInstanceCount": 1}
    assert len(refusals(wrong)) == 3


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        (
            "arn:aws:ec2:us-west-2:123456789012:placement-group/theirs",
            f"{ID} belongs to the placement group theirs, not to ours: set placementGroup: theirs",
        ),
        (
            "",
            f"{ID} belongs to no placement group, and instances in ours cannot use it: remove placementGroup, or "
            "create a reservation in that group",
        ),
    ],
)
def test_a_placement_group_that_conflicts_with_the_reservation_is_reported(arn: str, text: str) -> None:
    assert refusals({**GOOD, "PlacementGroupArn": arn}, scout=nodes(placement_group="ours")) == [text]


def test_the_reservation_s_own_placement_group_passes() -> None:
    inside = {**GOOD, "PlacementGroupArn": "arn:aws:ec2:us-west-2:123456789012:placement-group/ours"}
    assert [check.status for check in checked(inside, scout=nodes(placement_group="ours"))] == ["passed"]


def test_two_models_may_share_one_that_is_large_enough_and_only_then() -> None:
    fleet = {"scout": nodes(), "qwen3": nodes(QWEN_8B)}
    assert [
        check.status for check in checked({**GOOD, "TotalInstanceCount": 3, "AvailableInstanceCount": 3}, **fleet)
    ] == ["passed"]
    (check,) = checked(GOOD, **fleet)
    assert check.text == f"{ID} has room for 2, and scout and qwen3 need 3 nodes"


def test_a_parked_model_needs_nothing_of_it() -> None:
    assert [check.status for check in checked({**GOOD, "TotalInstanceCount": 1}, scout=nodes(parked=True))] == [
        "passed"
    ]


def test_a_capacity_block_passes_and_an_ordinary_reservation_does_not() -> None:
    block = nodes(instance="p5.48xlarge", capacity_type="capacityBlock")
    assert [check.status for check in checked(BLOCK, scout=block)] == ["passed"]
    assert refusals({**BLOCK, "ReservationType": "default"}, scout=block) == [
        f"{ID} is an on-demand reservation, not a Capacity Block: remove capacityType"
    ]


def test_a_block_needs_no_placement_group() -> None:
    inside = {**BLOCK, "PlacementGroupArn": "arn:aws:ec2:us-west-2:123456789012:placement-group/theirs"}
    block = nodes(instance="p5.48xlarge", capacity_type="capacityBlock")
    assert [check.status for check in checked(inside, scout=block)] == ["passed"]


def test_a_reservation_that_does_not_exist_is_refused() -> None:
    assert refusals(None) == [f"{ID} does not exist in us-west-2 of this account: correct the id, or the region"]


def test_without_permission_it_is_unknown_and_the_action_named() -> None:
    account = Account(denied=frozenset({"DescribeCapacityReservations"}))
    (check,) = find_reservations({"scout": nodes()}, account.site).checks
    assert check == Check(
        subject=f"capacity reservation {ID} holds the nodes of scout",
        status="unknown",
        text="no permission: allow ec2:DescribeCapacityReservations, or run aws ec2 "
        f"describe-capacity-reservations --capacity-reservation-ids {ID} --region us-west-2",
    )


def test_the_end_of_a_capacity_block_is_kept_for_alerts_and_no_other_end() -> None:
    end = datetime(2026, 12, 8, 11, 30, tzinfo=UTC)

    def ends(reservation: dict[str, Any]) -> Mapping[str, datetime]:
        fleet = {"scout": nodes(instance="p5.48xlarge", capacity_type="capacityBlock")}
        return find_reservations(fleet, Account(reservations={ID: reservation}).site).block_ends

    assert ends({**BLOCK, "EndDate": end}) == {"scout": end}
    assert ends({**GOOD, "EndDate": end}) == {}
    assert ends(BLOCK) == {}
    nothing = find_reservations({"scout": nodes()}, Account(reservations={}).site)
    assert nothing.block_ends == {}
