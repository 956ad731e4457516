"""Two stacks in one Prometheus: each has its own alerts, and no rule mixes their series."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.chart_rendering import tool
from tests.support.faults import AT, between
from tests.support.promtool import MISSING, RuleTest, Segment, run_promtool
from tests.support.watched_stacks import MINUTES, engine, gpu, healthy, node_label, pod_series, watched_stack, xid
from vllm_eks.monitoring.rule import groups_as_yaml
from vllm_eks.monitoring.rules import stack_rules
from vllm_eks.monitoring.watched import WatchedStack

pytestmark = pytest.mark.promtool

FIRING = 'count by (stack, alertname) (ALERTS{alertstate="firing"})'
Series = Mapping[str, Sequence[Segment]]


def rules_of(*stacks: WatchedStack) -> Mapping[str, Any]:
    groups = [
        group
        for stack in stacks
        for group in groups_as_yaml(stack_rules(stack), stack=stack.name, cluster=stack.cluster)["groups"]
    ]
    return {"groups": groups}


def renamed(series: Series) -> dict[str, Sequence[Segment]]:
    """Return the series of a stack whose models, nodes and GPUs have other names. The system node is the same."""
    words = {"scout": "llama", "idle": "spare", "node-": "other-", "team-a": "team-b"}
    found = dict(series)
    for old, new in words.items():
        found = {name.replace(old, new): value for name, value in found.items()}
    return found


def of_cluster(series: Series, cluster: str) -> dict[str, Sequence[Segment]]:
    return {f'{name[:-1]},cluster="{cluster}"}}': value for name, value in series.items()}


def faults() -> dict[str, Sequence[Segment]]:
    """Return a fault of each kind: groups, engines, nodes and dollars."""
    more = {node_label(f"node-{number}"): [(MINUTES, 1)] for number in (4, 5)}
    seen = {
        gpu("DCGM_FI_DEV_FB_USED", f"node-{number}", index): [(MINUTES, 1)] for number in (4, 5) for index in (0, 1)
    }
    return {
        pod_series("scout-1-1", "uid-scout-1-1")["running"]: between(AT, MINUTES, 1, 0),
        engine("vllm:num_requests_waiting"): between(AT, MINUTES, 0, 100),
        xid("node-0", 0, 0): [(AT, 0), (1, None)],
        xid("node-0", 0, 79): [(AT, None), (MINUTES, 79)],
        **more,
        **seen,
    }


ALERTS = (
    "VllmEksGroupNotWhole",
    "VllmEksQueueGrowing",
    "VllmEksGpuXid",
    "VllmEksNodeNotRepaired",
    "VllmEksMonthOverBudget",
)


def check(folder: Path, rules: Mapping[str, Any], series: Series, broken: str) -> None:
    found = {f'{{alertname="{name}", stack="{broken}"}}': 1 for name in ALERTS}
    test = RuleTest(name="two stacks", series=series, firing={}, labelled={AT - 1: {FIRING: {}}, 70: {FIRING: found}})
    assert run_promtool(folder, rules, [test]) == ""


def test_each_stack_of_a_cluster_has_only_its_own_alerts(tmp_path: Path) -> None:
    if tool("promtool") is None:
        pytest.skip(MISSING)
    one = watched_stack()
    names = {"scout": "llama", "idle": "spare"}
    models = [replace(m, name=names[m.name], namespace=f"vllm-{names[m.name]}") for m in one.models]
    other = replace(one, name="vllm-eks-other", models=models)
    well, broken = healthy(), {**healthy(), **faults()}
    for broken_stack, series in ((one, {**renamed(well), **broken}), (other, {**well, **renamed(broken)})):
        check(tmp_path, rules_of(one, other), series, broken_stack.name)


def test_stacks_of_two_clusters_with_the_same_models_share_a_workspace(tmp_path: Path) -> None:
    if tool("promtool") is None:
        pytest.skip(MISSING)
    one, other = (replace(watched_stack(), name=name, cluster=name) for name in ("vllm-eks-dev", "vllm-eks-prod"))
    series = {**of_cluster(healthy(), one.name), **of_cluster({**healthy(), **faults()}, other.name)}
    check(tmp_path, rules_of(one, other), series, other.name)
