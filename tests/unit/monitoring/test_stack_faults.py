"""Alerts of the stack fire after their time with exact texts, alone, and resolve."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.support.chart_rendering import tool
from tests.support.faults import AT, OF_LEADER, OF_SCOUT, OF_STACK, between, fault
from tests.support.promtool import MISSING, Alert, RuleTest, Segment, lasting, run_promtool
from tests.support.watched_stacks import DOOR, MINUTES, constant, engine, gpu, healthy, node_label, watched_stack
from vllm_eks.monitoring.rule import groups_as_yaml
from vllm_eks.monitoring.rules import stack_rules
from vllm_eks.specs.alerts import AlertsSpec

pytestmark = pytest.mark.promtool
URL = "https://scout.models.example.com/health"
DAY = 86_400


def certificate(severity: str, days: str) -> Alert:
    return Alert(
        name="VllmEksCertificateEnding",
        labels={**OF_SCOUT, "severity": severity, "instance": URL},
        summary=f"{URL}: the certificate ends in {days} days",
        description=(
            f"The certificate of {URL} ends in {days} days. ACM renews its own 60 days before the end, so the renewal "
            "has failed, or the certificate was imported."
        ),
        page="certificate-ending.md",
    )


def test_the_front_door(promtool) -> None:
    shut = fault(
        Alert(
            name="VllmEksEndpointNotAnswering",
            labels={**OF_SCOUT, "severity": "critical", "instance": URL},
            summary=f"scout: {URL} does not answer, although a group is ready",
            description=(
                f"{URL} has failed the probe from inside the cluster for 5 minutes, although a group of scout is "
                "ready. The fault is in front of the pods: DNS, certificate, load balancer or its rules."
            ),
            page="endpoint-not-answering.md",
        ),
        {f"probe_success{{{DOOR}}}": between(AT, 30, 1, 0)},
        quiet=AT + 4,
        fires=AT + 7,
        resolved=32,
    )
    expiry = f"probe_ssl_earliest_cert_expiry{{{DOOR}}}"
    # It is renewed at the end. Until then both severities fire.
    soon = fault(
        certificate("warning", "20"),
        {expiry: [(70, 20 * DAY + 65 * 60), (MINUTES, 100 * DAY)]},
        quiet=59,
        fires=65,
        resolved=72,
    )
    last = RuleTest(
        name="the last week",
        series={**healthy(), expiry: constant(6 * DAY)},
        firing={59: {}, 62: {"VllmEksCertificateEnding": 2}},
    )
    promtool([shut, soon, last])


def block(severity: str, hours: str) -> Alert:
    return Alert(
        name="VllmEksCapacityBlockEnding",
        labels={**OF_SCOUT, "severity": severity},
        summary=f"scout: its Capacity Block ends in {hours} hours",
        description=(
            f"The Capacity Block of scout ends in {hours} hours. EC2 terminates its instances 30 minutes before, and "
            "the model stops."
        ),
        page="capacity-block-ending.md",
    )


def test_capacity_blocks(tmp_path) -> None:
    """The facts of the plan and the clock are all that the alert needs."""
    if tool("promtool") is None:
        pytest.skip(MISSING)
    stack = watched_stack()
    ends = datetime.fromtimestamp(3 * 3600, tz=UTC)
    scout = replace(stack.models[0], block_end=ends)
    short = replace(stack, models=[scout, stack.models[1]], alerts=AlertsSpec(capacity_block_hours=3), endpoint=False)
    groups = [group for group in stack_rules(short) if "facts" in group.name or group.name.endswith("alerts.stack")]
    alerts = {10: [block("warning", "2.833")]}
    firing = {10: {"VllmEksCapacityBlockEnding": 1}, 70: {"VllmEksCapacityBlockEnding": 2}, 181: {}}
    series = {'kube_pod_status_ready{condition="true"}': [(200, 1)]}
    tests = [RuleTest(name="block", series=series, firing=firing, alerts=alerts)]
    assert run_promtool(tmp_path, groups_as_yaml(groups, stack=short.name), tests) == ""


def test_the_bill(promtool) -> None:
    # Two more nodes: 6 x $16.288 x 730 h = $71,341 a month.
    more: dict[str, list[Segment]] = {}
    for node in ("extra-0", "extra-1"):
        more[node_label(node)] = [(MINUTES, 1)]
        more |= {gpu("DCGM_FI_DEV_FB_USED", node, index): [(MINUTES, 1)] for index in (0, 1)}
    over = fault(
        Alert(
            name="VllmEksMonthOverBudget",
            labels={**OF_STACK, "severity": "warning"},
            summary="At the rate of the last day, a month of GPU nodes costs $71.34k",
            description=(
                "The GPU nodes that ran in the last day cost $71.34k in a month of 730 hours, at list prices. That is "
                "more than the budget in the stack file."
            ),
            page="month-over-budget.md",
        ),
        more,
        quiet=58,
        fires=65,
        resolved=0,
    )
    promtool([over])


def missing(source: str, silent: str, **labels: str) -> Alert:
    return Alert(
        name="VllmEksMetricsMissing",
        labels={**OF_STACK, "severity": "warning", "source": source, **labels},
        summary=f"No metrics of {silent}",
        description=f"Prometheus has no metrics of {silent}. Alerts that need them cannot fire.",
        page="metrics-missing.md",
    )


def silence(alert: Alert, *beginnings: str) -> RuleTest:
    """Return a test in which all series with these beginnings are missing for half an hour."""
    gaps: dict[str, list[Segment]] = {
        name: [lasting(value[0], AT), (25, None), lasting(value[0], MINUTES - AT - 25)]
        for name, value in healthy().items()
        if name.startswith(beginnings)
    }
    return fault(alert, gaps, quiet=AT + 14, fires=AT + 17, resolved=45)


def test_silence(promtool) -> None:
    running = engine("vllm:num_requests_running")
    vllm = silence(missing("vllm", "scout-0 in vllm-scout, which is ready", **OF_LEADER), running)
    pods = silence(missing("kube-state-metrics", "pods (kube-state-metrics)"), "kube_")
    gpus = silence(
        missing("dcgm-exporter", "the GPUs of node-0 (DCGM exporter)", node="node-0"),
        *(gpu("DCGM_FI_DEV_FB_USED", "node-0", index) for index in (0, 1)),
    )
    disks = silence(
        missing(
            "kubelet",
            "the disks of vllm-scout (kubelet)",
            namespace="vllm-scout",
            persistentvolumeclaim="scout-weights-0a1b2c3d",
        ),
        "kubelet_",
    )
    door = silence(
        missing("blackbox-exporter", "the address of scout (blackbox exporter)", model="scout", namespace="vllm-scout"),
        f"probe_success{{{DOOR}}}",
    )
    promtool([vllm, pods, gpus, disks, door])
