"""Alerts of groups fire after their time with exact texts, alone, and resolve."""

from collections.abc import Sequence

import pytest

from tests.support.faults import AT, OF_LEADER, OF_SCOUT, between, fault
from tests.support.promtool import Alert, RuleTest, Segment
from tests.support.watched_stacks import MINUTES, healthy, pod_series

pytestmark = pytest.mark.promtool


def test_groups(promtool) -> None:
    worker, leader = pod_series("scout-1-1", "uid-scout-1-1"), pod_series("scout-0", "uid-scout-0")
    missing = fault(
        Alert(
            name="VllmEksGroupNotWhole",
            labels={**OF_SCOUT, "severity": "critical"},
            summary="scout: 1 pods of its groups do not run",
            description=(
                "1 pods of vllm-scout have not run for 10 minutes. A group serves only when all its pods run, and the "
                "GPUs of the others are paid for and idle."
            ),
            page="group-not-whole.md",
        ),
        {worker["running"]: between(AT, 40, 1, 0), worker["pending"]: between(AT, 40, 0, 1)},
        quiet=AT + 9,
        fires=AT + 12,
        resolved=42,
    )
    # The pod is marked for deletion while its node is lost, and still counts as running for Kubernetes.
    lost = RuleTest(
        name="a pod of a lost node",
        series={
            **healthy(),
            'kube_pod_deletion_timestamp{namespace="vllm-scout",pod="scout-1-1",uid="uid-scout-1-1"}': [
                (AT, None),
                (25, 1e6),
            ],
        },
        firing={AT + 9: {}, AT + 12: {"VllmEksGroupNotWhole": 1}, 48: {}},
    )
    # The pod is replaced twice: its name has no series for a while, and its time continues.
    second = pod_series("scout-0", "uid-2")
    late = fault(
        Alert(
            name="VllmEksStartOverBudget",
            labels={**OF_LEADER, "severity": "critical"},
            summary="scout: scout-0 is not ready after its start budget of 20 minutes",
            description=(
                "The leader scout-0 of vllm-scout has not been ready for 20 minutes, restarts included. The budget of "
                "a start allows slow downloads and compilation."
            ),
            page="start-over-budget.md",
        ),
        {
            leader["ready"]: [(AT, 1), (8, 0), (1, None)],
            **{leader[what]: [(AT + 8, 1), (1, None)] for what in ("owner", "running", "created")},
            **{second[what]: [(AT + 10, None), (MINUTES, 1)] for what in ("owner", "running", "created")},
            second["ready"]: [(AT + 10, None), (25, 0), (MINUTES, 1)],
        },
        quiet=AT + 23,
        fires=AT + 27,
        resolved=AT + 38,
    )
    again = [pod_series("scout-0", f"uid-{number}") for number in range(2, 5)]
    restarts: dict[str, Sequence[Segment]] = {leader["created"]: [(AT, 1), (1, None)]}
    for number, names in enumerate(again):
        restarts[names["created"]] = [(AT + 4 * number, None), (4 if number < 2 else MINUTES, 1), (1, None)]
    restarting = fault(
        Alert(
            name="VllmEksGroupRestarting",
            labels={**OF_LEADER, "severity": "warning"},
            summary="scout: the group of scout-0 keeps restarting",
            description=(
                "The group of scout-0 in vllm-scout restarted 3 times in 80 minutes, besides updates. Each restart "
                "loads the weights again."
            ),
            page="group-restarting.md",
        ),
        restarts,
        quiet=AT + 7,
        fires=AT + 9,
        resolved=AT + 84,
    )
    promtool([missing, lost, late, restarting])
