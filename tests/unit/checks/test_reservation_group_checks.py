"""Groups of capacity reservations: free capacity in matching ones, together with the stack's running nodes."""

from typing import Any

import pytest

from checks.reservation_groups import reservation_group_checks
from tests.fakes.aws_account import Account, instance
from tests.support.plans import SCOUT, planned
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

pytestmark = pytest.mark.usefixtures("moto_account")

ARN = "arn:aws:resource-groups:us-west-2:123456789012:group/gpus"
NODES = GpuNodes(plan=planned(SCOUT), zones=("us-west-2a",), capacity_reservation_group_arn=ARN)
PARKED = GpuNodes(plan=planned(SCOUT), zones=("us-west-2a",), capacity_reservation_group_arn=ARN, parked=True)
KEY = "models.scout.capacityReservationGroupArn"


def reservation(free: int, **more: Any) -> dict[str, Any]:
    found = {
        "State": "active",
        "InstanceType": "g5.48xlarge",
        "AvailabilityZone": "us-west-2a",
        "TotalInstanceCount": 9,
    }
    return {**found, "AvailableInstanceCount": free, **more}


def checked(*reservations: dict[str, Any], own: int = 0, nodes: GpuNodes = NODES, **more: Any) -> Check:
    by_id = {f"cr-{number}": one for number, one in enumerate(reservations)}
    resources = [
        {
            "Identifier": {
                "ResourceArn": f"arn:aws:ec2:us-west-2:123456789012:capacity-reservation/{id_}",
                "ResourceType": "AWS::EC2::CapacityReservation",
            }
        }
        for id_ in by_id
    ]
    account = Account(
        reservations=by_id,
        instances=[instance(CapacityReservationId="cr-0")] * own,
        **{"answers": {"ListGroupResources": {"Resources": resources}}, **more},
    )
    (check,) = reservation_group_checks({"scout": ARN}, {"scout": nodes}, account.site)
    return check


def test_free_capacity_of_matching_reservations_is_added() -> None:
    assert checked(reservation(1), reservation(1)) == Check(
        subject="reservation group gpus holds the nodes of scout",
        status="passed",
        text="2 x g5.48xlarge free in us-west-2a, 0 used by this stack",
    )


@pytest.mark.parametrize(
    "other",
    [{"State": "expired"}, {"InstanceType": "g5.24xlarge"}, {"AvailabilityZone": "us-west-2b"}],
    ids=["state", "type", "zone"],
)
def test_reservations_that_do_not_match_are_ignored(other: dict[str, Any]) -> None:
    check = checked(reservation(1), reservation(5, **other))
    assert (check.subject, check.status, check.text) == (
        KEY,
        "failed",
        "its active reservations have 1 x g5.48xlarge free in us-west-2a, and scout needs 2 more",
    )


def test_running_nodes_need_no_more_capacity() -> None:
    assert checked(reservation(0), own=2).status == "passed"
    assert checked(reservation(1), own=1).status == "passed"
    assert checked(reservation(0), own=1).status == "failed"


def test_an_empty_group_has_no_capacity_and_a_parked_model_needs_none() -> None:
    assert checked().status == "failed"
    assert checked(nodes=PARKED).status == "passed"


def test_a_missing_group_fails_and_for_a_parked_model_warns() -> None:
    gone = {"ListGroupResources": "NotFoundException"}
    check = checked(answers=gone)
    assert (check.status, check.text) == ("failed", f"{ARN} does not exist in this account: correct the ARN")
    assert checked(nodes=PARKED, answers=gone).status == "warning"


def test_without_permission_it_is_unknown_with_the_actions() -> None:
    assert checked(denied=frozenset({"ListGroupResources"})).text == (
        "no permission: allow resource-groups:ListGroupResources and ec2:DescribeCapacityReservations, or run "
        f"aws resource-groups list-group-resources --group {ARN} --region us-west-2"
    )


def test_where_running_nodes_cannot_be_read_a_full_group_is_unknown() -> None:
    assert checked(reservation(0), denied=frozenset({"DescribeInstances"})).status == "unknown"
