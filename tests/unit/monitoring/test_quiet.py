"""No alert fires while all is well, while a model is parked, or while it starts or is updated."""

from collections.abc import Sequence

import pytest

from tests.support.promtool import RuleTest, Segment, lasting
from tests.support.watched_stacks import MINUTES, PODS, WELL, healthy, pod_series

QUIET = {minute: {} for minute in (20, 28, 35, 45, 60, 75)}

pytestmark = pytest.mark.promtool


def series_of(changes: dict[str, Sequence[Segment]], *, without: Sequence[str] = ()) -> dict[str, Sequence[Segment]]:
    return {name: value for name, value in {**healthy(), **changes}.items() if name not in without}


def a_pod_that_starts(pod: str, uid: str, at: int, ready_at: int, until: int = MINUTES) -> dict[str, Sequence[Segment]]:
    """Return the series of a pod that is pending for 4 minutes, loads until it is ready, and ends."""
    names = pod_series(pod, uid)
    before: list[Segment] = [(at, None)] if at else []
    lasts = until - at
    return {
        names["owner"]: [*before, (lasts, 1)],
        names["created"]: [*before, (lasts, 1)],
        names["pending"]: [*before, (4, 1), (lasts - 4, 0)],
        names["running"]: [*before, (4, 0), (lasts - 4, 1)],
        names["ready"]: [*before, (ready_at - at, 0), (until - ready_at, 1)],
    }


def first_start() -> RuleTest:
    names = [name for pod in PODS for name in pod_series(pod, f"uid-{pod}").values()]
    starts: dict[str, Sequence[Segment]] = {}
    for pod in PODS:
        starts |= a_pod_that_starts(pod, "first", at=10, ready_at=29)
    # vLLM's metrics begin with its server.
    engines = {
        name: [(28, None), lasting(value[0], MINUTES - 28)]
        for name, value in healthy().items()
        if name.startswith(("vllm:", "vllm_eks_"))
    }
    return RuleTest(name="first start", series=series_of({**engines, **starts}, without=names), firing=QUIET)


def update() -> RuleTest:
    """Each group ends within 2 minutes, and its new pods need almost the whole budget of 20 minutes."""
    changes: dict[str, Sequence[Segment]] = {}
    for group, at in ((0, 10), (1, 32)):
        for pod in (f"scout-{group}", f"scout-{group}-1"):
            changes |= {
                name: [(at, WELL[what]), (2, 0 if what == "ready" else WELL[what]), (1, None)]
                for what, name in pod_series(pod, f"uid-{pod}").items()
            }
            changes |= a_pod_that_starts(pod, "new", at=at + 2, ready_at=at + 20)
    return RuleTest(name="update", series=series_of(changes), firing=QUIET)


def parking() -> RuleTest:
    pods = {name: [(30, WELL[what]), (1, None)] for pod in PODS for what, name in pod_series(pod, f"uid-{pod}").items()}
    sets = {
        'kube_statefulset_replicas{namespace="vllm-scout",statefulset="scout"}': [(30, 2), (MINUTES - 30, 0)],
        'kube_statefulset_replicas{namespace="vllm-scout",statefulset="scout-0"}': [(30, 1), (1, None)],
        'kube_statefulset_replicas{namespace="vllm-scout",statefulset="scout-1"}': [(30, 1), (1, None)],
    }
    gone = {
        name: [lasting(value[0], 30), (1, None)]
        for name, value in healthy().items()
        if name.startswith(("vllm:", "vllm_eks_", "kubelet_", "kube_node")) or "g5.48xlarge" in name
    }
    # The load balancer has no pod to ask.
    door = {name: [(30, 1), (MINUTES - 30, 0)] for name in healthy() if name.startswith("probe_success")}
    series = series_of({**pods, **sets, **gone, **door})
    # Not missing, so that the average of a day counts the hours without nodes.
    values = {75: {"sum(vllm_eks:running_usd_per_hour)": 0}}
    return RuleTest(name="parking", series=series, firing=QUIET, values=values)


def test_nothing_fires_while_all_is_well_or_a_model_is_parked_or_starts_or_is_updated(promtool) -> None:
    values = {
        60: {
            "sum without (model, namespace) (vllm_eks:groups_ready{model='scout'})": 2,
            "sum without (model, namespace) (vllm_eks:pods_running{model='scout'})": 4,
            "sum without (model, namespace) (vllm_eks:groups_wanted{model='idle'})": 0,
            "round(sum(vllm_eks:output_tokens_per_second))": 1000,
            "round(1000 * sum(vllm_eks:usd_per_million_output_tokens))": 18_098,
            "round(1000 * sum(vllm_eks:running_usd_per_hour))": 65_152,
        }
    }
    well = RuleTest(name="healthy", series=healthy(), firing=QUIET, values=values)
    promtool([well, first_start(), update(), parking()])
