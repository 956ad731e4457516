"""Faults that an alert could miss: slow ones, those behind a gap, and those that take their own metrics away."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.chart_rendering import tool
from tests.support.faults import AT, between, stopped, with_gap
from tests.support.promtool import MISSING, RuleTest, Segment, lasting, run_promtool
from tests.support.watched_stacks import MINUTES, PODS, WELL, engine, gpu, healthy, pod_series, watched_stack, xid
from vllm_eks.monitoring.rule import groups_as_yaml
from vllm_eks.monitoring.rules import stack_rules

pytestmark = pytest.mark.promtool

Changes = dict[str, Sequence[Segment]]
REVISION = 'kube_statefulset_status_update_revision{namespace="vllm-scout",statefulset="scout",revision="r1"}'


def found(name: str, changes: Changes, *alerts: str, at: int, quiet: int = AT - 1) -> RuleTest:
    """Return a test in which exactly these alerts fire at a minute."""
    firing = {quiet: {}, at: dict.fromkeys(alerts, 1)}
    return RuleTest(name=name, series={**healthy(), **changes}, firing=firing)


def test_a_gap_of_three_minutes_neither_resolves_an_alert_nor_starts_its_time_again(promtool) -> None:
    worker = pod_series("scout-1-1", "uid-scout-1-1")
    missing: Changes = {worker["running"]: between(AT, MINUTES, 1, 0)}
    broken = 'kube_node_status_condition{node="node-0",condition="AcceleratedHardwareReady",status="false"}'
    lost = 'kube_node_status_allocatable{node="node-2",resource="nvidia_com_gpu",unit="integer"}'
    promtool(
        [
            found("group", with_gap(missing, AT + 5, 3, "kube_"), "VllmEksGroupNotWhole", at=AT + 12),
            found("group fires", with_gap(missing, AT + 20, 3, "kube_"), "VllmEksGroupNotWhole", at=AT + 21),
            found(
                "node",
                with_gap({broken: between(AT, MINUTES, 0, 1)}, AT + 20, 3, "kube_"),
                "VllmEksNodeNotRepaired",
                at=AT + 32,
            ),
            found("gpu", with_gap({lost: between(AT, MINUTES, 2, 1)}, AT + 3, 3, "kube_"), "VllmEksGpuLost", at=AT + 7),
        ]
    )


def test_one_of_two_replicas_is_broken(promtool) -> None:
    leader = pod_series("scout-1", "uid-scout-1")
    hangs: Changes = {
        engine("vllm:generation_tokens_total", "scout-1"): stopped(AT, 60, 30_000),
        engine("vllm:prompt_tokens_total", "scout-1"): stopped(AT, 60, 60_000),
    }
    # Its target is down, and Kubernetes still calls it ready.
    dead: Changes = {
        name: [lasting(value[0], AT), (1, None)]
        for name, value in healthy().items()
        if name.startswith("vllm") and 'pod="scout-1"' in name
    }
    promtool(
        [
            found("unready", {leader["ready"]: between(AT, MINUTES, 1, 0)}, "VllmEksStartOverBudget", at=AT + 27),
            found("hangs", hangs, "VllmEksNoTokens", at=AT + 7),
            found("target down", dead, "VllmEksMetricsMissing", at=AT + 17),
        ]
    )


def test_faults_that_take_their_own_metrics_away(promtool) -> None:
    # Both go when the LeaderWorkerSet is deleted, and so does the number of wanted pods.
    pods: Changes = {
        name: [(AT, WELL[what]), (1, None)] for pod in PODS for what, name in pod_series(pod, f"uid-{pod}").items()
    }
    sets: Changes = {
        name: [lasting(value[0], AT), (1, None)]
        for name, value in healthy().items()
        if "statefulset=" in name and "vllm-scout" in name
    }
    engines: Changes = {
        name: [lasting(value[0], AT), (1, None)] for name, value in healthy().items() if name.startswith("vllm")
    }
    # After a reboot, the driver and the device plugin see one GPU less, and so does the node's capacity.
    rebooted: Changes = {
        f'kube_node_status_{kind}{{node="node-2",resource="nvidia_com_gpu",unit="integer"}}': between(AT, MINUTES, 2, 1)
        for kind in ("capacity", "allocatable")
    }
    rebooted[gpu("DCGM_FI_DEV_FB_USED", "node-2", 1)] = [(AT, 1), (1, None)]
    # An error of the program, which the first one causes, takes its place within a minute.
    replaced: Changes = {
        xid("node-0", 0, 0): [(AT, 0), (1, None)],
        xid("node-0", 0, 79): [(AT, None), (1, 79), (1, None)],
        xid("node-0", 0, 45): [(AT + 1, None), (MINUTES, 45)],
    }
    kernel = 'kube_node_status_condition{node="node-0",condition="KernelReady",status="true"}'
    promtool(
        [
            found("no LeaderWorkerSet", {**pods, **sets, **engines}, "VllmEksGroupNotWhole", at=AT + 17),
            found("rebooted", rebooted, "VllmEksGpuLost", at=AT + 12),
            found("second XID", replaced, "VllmEksGpuXid", at=AT + 10),
            found("kernel", {kernel: between(AT, MINUTES, 1, 0)}, "VllmEksNodeNotRepaired", at=AT + 47),
        ]
    )


def created(starts: Sequence[int], until: int) -> Changes:
    """Return the series of a leader's pods, each created at a minute, and replaced by the next one."""
    ends = [*starts[1:], until]
    return {
        pod_series("scout-0", f"uid-{number}")["created"]: [(start, None), (end - start, 1), (1, None)]
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    }


def revisions(*at: int, until: int) -> Changes:
    """Return the series of the revisions of the model's StatefulSet."""
    ends = [*at[1:], until]
    return {
        REVISION.replace("r1", f"r{number}"): [(start, None), (end - start, 1), (1, None)]
        for number, (start, end) in enumerate(zip(at, ends, strict=True))
    }


def test_a_slow_crash_loop_and_no_update_or_replaced_node_is_a_restart(tmp_path: Path) -> None:
    """A model with a start budget of 45 minutes, which is ready for one minute in every thirty."""
    if tool("promtool") is None:
        pytest.skip(MISSING)
    stack = watched_stack()
    slow = replace(stack, models=[replace(stack.models[0], startup_seconds=2700)])
    groups = [group for group in stack_rules(slow) if group.name.endswith("scout.alerts")]
    always = revisions(0, until=400)
    tests = [
        RuleTest(
            name="loop",
            series={**created(range(0, 300, 30), 300), **always},
            firing={85: {}, 95: {"VllmEksGroupRestarting": 1}, 290: {"VllmEksGroupRestarting": 1}},
        ),
        RuleTest(
            name="four updates and a replaced node",
            series={**created([0, 40, 70, 100, 130, 160], 300), **revisions(0, 40, 70, 100, 130, until=400)},
            firing={135: {}, 165: {}, 200: {}},
        ),
        RuleTest(
            name="two replaced nodes, and more groups",
            series={
                **created([0, 40, 90], 300),
                **{pod_series(f"scout-{n}", "first")["created"]: [(100, None), (200, 1)] for n in range(1, 6)},
                **always,
            },
            firing={95: {}, 105: {}, 200: {}},
        ),
    ]
    assert run_promtool(tmp_path, groups_as_yaml(groups, stack=slow.name), tests) == ""
