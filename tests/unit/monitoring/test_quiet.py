"""No alert fires while all is well, while a model is parked, or while it starts or is updated."""

from collections.abc import Sequence

import pytest

from tests.support.faults import with_gap
from tests.support.promtool import RuleTest, Segment, lasting
from tests.support.watched_stacks import MINUTES, PODS, WELL, gpu, healthy, node_info, node_label, node_of, pod_series

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
        if name.startswith(("vllm:", "vllm_eks_", "kubelet_", "DCGM_", "kube_node", "kube_pod_spec"))
        and "system" not in name
    }
    # The load balancer has no pod to ask.
    door = {name: [(30, 1), (MINUTES - 30, 0)] for name in healthy() if name.startswith("probe_success")}
    series = series_of({**pods, **sets, **gone, **door})
    # Not missing, so that the average of a day counts the hours without nodes.
    values = {75: {"sum(vllm_eks:running_usd_per_hour)": 0}}
    return RuleTest(name="parking", series=series, firing=QUIET, values=values)


def scaling_up() -> RuleTest:
    """A third group, for which EC2 starts nodes in 4 minutes, whose device plugin and DCGM exporter follow."""
    changes: dict[str, Sequence[Segment]] = {
        'kube_statefulset_replicas{namespace="vllm-scout",statefulset="scout"}': [(20, 2), (MINUTES - 20, 3)],
        'kube_statefulset_replicas{namespace="vllm-scout",statefulset="scout-2"}': [(20, None), (MINUTES - 20, 1)],
    }
    for pod, node in (("scout-2", "new-0"), ("scout-2-1", "new-1")):
        changes |= a_pod_that_starts(pod, "new", at=20, ready_at=39)
        changes |= {
            name: [(24, None), (MINUTES, 1)] for name in (node_info(node), node_label(node), node_of(pod, node))
        }
        for kind in ("capacity", "allocatable"):
            gpus = f'kube_node_status_{kind}{{node="{node}",resource="nvidia_com_gpu",unit="integer"}}'
            changes[gpus] = [(26, None), (MINUTES, 2)]
        changes |= {gpu("DCGM_FI_DEV_FB_USED", node, index): [(27, None), (MINUTES, 20_000)] for index in (0, 1)}
    engines = {
        name.replace("scout-0", "scout-2"): [(38, None), lasting(value[0], MINUTES - 38)]
        for name, value in healthy().items()
        if name.startswith("vllm:") and "scout-0" in name
    }
    return RuleTest(name="scaling up", series=series_of({**changes, **engines}), firing=QUIET)


def night() -> RuleTest:
    """No client sends a request after 20 minutes."""
    engines: dict[str, Sequence[Segment]] = {}
    for name, (first, *_) in healthy().items():
        if name.startswith(("vllm:", "vllm_eks_")):
            per_minute = first[2] if len(first) == 3 else 0
            is_gauge = name.startswith(("vllm:num_requests", "vllm:kv_cache_usage"))
            engines[name] = [lasting(first, 20), (MINUTES - 20, 0 if is_gauge else 19 * per_minute)]
    return RuleTest(name="night", series=series_of(engines), firing=QUIET)


def counters_begin_again() -> RuleTest:
    """vLLM's counters begin at 0 when its group restarts."""
    engines: dict[str, Sequence[Segment]] = {
        name: [lasting(first, 30), lasting(first, MINUTES - 30)]
        for name, (first, *_) in healthy().items()
        if name.startswith(("vllm:", "vllm_eks_"))
    }
    return RuleTest(name="counters begin again", series=series_of(engines), firing=QUIET)


def gap() -> RuleTest:
    """No scrape succeeds for 3 minutes."""
    return RuleTest(name="gap", series=series_of(with_gap({}, 26, 3, "")), firing=QUIET)


def test_nothing_fires_while_a_model_is_scaled_or_idle_and_in_gaps(promtool) -> None:
    promtool([scaling_up(), night(), counters_begin_again(), gap()])


def test_nothing_fires_while_all_is_well_or_a_model_is_parked_or_starts_or_is_updated(promtool) -> None:
    values = {
        60: {
            "sum (vllm_eks:groups_ready{model='scout'})": 2,
            "sum (vllm_eks:pods_running{model='scout'})": 4,
            "sum (vllm_eks:groups_wanted{model='idle'})": 0,
            "round(sum(vllm_eks:output_tokens_per_second))": 1000,
            "round(1000 * sum(vllm_eks:usd_per_million_output_tokens))": 18_098,
            "round(1000 * sum(vllm_eks:running_usd_per_hour))": 65_152,
        }
    }
    well = RuleTest(name="healthy", series=healthy(), firing=QUIET, values=values)
    promtool([well, first_start(), update(), parking()])
