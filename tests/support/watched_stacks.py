"""A stack to watch, and the series of its exporters while all is well."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tests.support.promtool import Segment
from vllm_eks.monitoring.watched import WatchedModel, WatchedStack
from vllm_eks.planner.load.service_level import Limit, ServiceLevel
from vllm_eks.planner.ranges import Range
from vllm_eks.specs.alerts import AlertsSpec

MINUTES = 120
"""The length of every series."""
SCOUT = 'model="scout",namespace="vllm-scout"'
LEVEL = ServiceLevel(
    ttft=Limit(seconds=1, percentile=90), itl=Limit(seconds=0.05, percentile=50), e2e=Limit(seconds=60, percentile=99)
)


def watched_stack(**alerts: object) -> WatchedStack:
    """Two models: scout has two groups of two pods, and idle is parked. promtool's clock begins in 1970."""
    shared = {
        "pods_per_group": 2,
        "gpus_per_group": 4,
        "gpus_per_node": 2,
        "node_usd_per_hour": 16.288,
        "startup_seconds": 1200,
        "kv_cache_tokens": Range(90_000, 100_000, 110_000),
    }
    scout = WatchedModel(
        name="scout",
        namespace="vllm-scout",
        groups=2,
        usd_per_hour=65.152,
        tokens_per_second=Range(800, 1000, 1200),
        level=LEVEL,
        block_end=datetime.fromtimestamp(200 * 3600, tz=UTC),
        **shared,
    )
    idle = WatchedModel(
        name="idle", namespace="vllm-idle", groups=0, usd_per_hour=0, tokens_per_second=None, level=LEVEL, **shared
    )
    spec = AlertsSpec(**{"monthly_budget_usd": 50_000, **alerts})
    return WatchedStack(name="vllm-eks-test", models=[scout, idle], alerts=spec, endpoint=True)


def constant(value: float) -> Sequence[Segment]:
    """One value all the time."""
    return [(MINUTES, value)]


def counter(per_minute: float) -> Sequence[Segment]:
    """A counter that grows all the time."""
    return [(MINUTES, 0, per_minute)]


def healthy() -> dict[str, Sequence[Segment]]:
    """All series of the stack, while all is well. Tests replace some."""
    return {**_groups(), **_engines(), **_nodes(), **_front_door()}


def pod_series(pod: str, uid: str) -> dict[str, str]:
    """The names of the series of one pod, by what they tell."""
    owner, of = pod.rpartition("-")[0], f'namespace="vllm-scout",pod="{pod}",uid="{uid}"'
    return {
        "owner": f'kube_pod_owner{{{of},owner_kind="StatefulSet",owner_name="{owner}"}}',
        "running": f'kube_pod_status_phase{{{of},phase="Running"}}',
        "pending": f'kube_pod_status_phase{{{of},phase="Pending"}}',
        "ready": f'kube_pod_status_ready{{{of},condition="true"}}',
        "created": f"kube_pod_created{{{of}}}",
    }


PODS = ("scout-0", "scout-0-1", "scout-1", "scout-1-1")
WELL = {"owner": 1, "running": 1, "pending": 0, "ready": 1, "created": 1}


def _groups() -> dict[str, Sequence[Segment]]:
    sets = {
        ("vllm-scout", "scout"): 2,
        ("vllm-scout", "scout-0"): 1,
        ("vllm-scout", "scout-1"): 1,
        ("vllm-idle", "idle"): 0,
    }
    replicas = {
        f'kube_statefulset_replicas{{namespace="{namespace}",statefulset="{name}"}}': constant(count)
        for (namespace, name), count in sets.items()
    }
    pods = {name: constant(WELL[what]) for pod in PODS for what, name in pod_series(pod, f"uid-{pod}").items()}
    # A Job of the same namespace is none of the group's pods, and no more is CoreDNS.
    job = 'namespace="vllm-scout",pod="scout-ready-x7",uid="job"'
    dns = 'namespace="kube-system",pod="coredns-abc",uid="dns"'
    others = {
        'kube_statefulset_status_update_revision{namespace="vllm-scout",statefulset="scout",revision="r1"}': constant(
            1
        ),
        f'kube_pod_status_phase{{{job},phase="Running"}}': constant(1),
        f'kube_pod_status_ready{{{dns},condition="true"}}': constant(1),
    }
    return {**replicas, **pods, **others}


def engine(metric: str, pod: str = "scout-0", **labels: str) -> str:
    """The name of a series of vLLM, with the labels that the monitor adds."""
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f'{metric}{{{SCOUT},pod="{pod}",group="{pod[-1]}",engine="0",model_name="scout"{more}}}'


BUCKETS: Mapping[str, Mapping[str, float]] = {
    "vllm:time_to_first_token_seconds": {"0.25": 54, "0.5": 60, "1.0": 60, "2.5": 60, "+Inf": 60},
    "vllm:inter_token_latency_seconds": {"0.025": 6000, "0.05": 6000, "0.075": 6000, "+Inf": 6000},
    "vllm:e2e_request_latency_seconds": {"10.0": 60, "60.0": 60, "120.0": 60, "+Inf": 60},
}
"""Observations in a minute of each pod. Latencies are within the limits."""


def _engines() -> dict[str, Sequence[Segment]]:
    found: dict[str, Sequence[Segment]] = {}
    for pod in ("scout-0", "scout-1"):
        found |= {
            engine("vllm:num_requests_waiting", pod): constant(0),
            engine("vllm:num_requests_running", pod): constant(10),
            engine("vllm:kv_cache_usage_perc", pod): constant(0.97),
            engine("vllm:num_preemptions_total", pod): constant(3),
            engine("vllm:generation_tokens_total", pod): counter(30_000),
            engine("vllm:prompt_tokens_total", pod): counter(60_000),
            **histograms(pod),
        }
    refusals = {"client": "team-a", "reason": "unknown_key"}
    return {**found, engine("vllm_eks_client_refusals_total", **refusals): counter(2)}


def histograms(pod: str) -> dict[str, Sequence[Segment]]:
    """The histograms of a pod whose latencies are within their limits."""
    return {
        **{engine(f"{name}_bucket", pod, le=le): counter(n) for name, les in BUCKETS.items() for le, n in les.items()},
        **{engine(f"{name}_count", pod): counter(max(les.values())) for name, les in BUCKETS.items()},
    }


def _nodes() -> dict[str, Sequence[Segment]]:
    # A system node, with a pod of a Job.
    job = 'namespace="vllm-scout",pod="scout-ready-x7",uid="job",node="system"'
    found: dict[str, Sequence[Segment]] = {node_info("system"): constant(1), f"kube_pod_info{{{job}}}": constant(1)}
    for number, pod in enumerate(PODS):
        node = f"node-{number}"
        found |= {name: constant(1) for name in (node_info(node), node_of(pod, node), claim_of(pod))}
        found |= {
            f'kube_node_status_{kind}{{node="{node}",resource="nvidia_com_gpu",unit="integer"}}': constant(2)
            for kind in ("capacity", "allocatable")
        }
        found |= {
            f'kube_node_status_condition{{node="{node}",condition="{condition}",status="{status}"}}': constant(value)
            for condition in ("Ready", "AcceleratedHardwareReady", "KernelReady")
            for status, value in (("true", 1), ("false", 0))
        }
        found |= {gpu("DCGM_FI_DEV_FB_USED", node, index): constant(20_000) for index in (0, 1)}
        found |= {xid(node, 0, 0): constant(0), xid(node, 1, 31): constant(31)}
        claim = f'namespace="vllm-scout",persistentvolumeclaim="scout-weights-0a1b2c3d",node="{node}"'
        found[f"kubelet_volume_stats_capacity_bytes{{{claim}}}"] = constant(7e12)
        found[f"kubelet_volume_stats_available_bytes{{{claim}}}"] = constant(5e12)
    return found


def gpu(metric: str, node: str, index: int, **labels: str) -> str:
    """The name of a series of the DCGM exporter."""
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f'{metric}{{node="{node}",gpu="{index}",UUID="GPU-{node}-{index}",modelName="NVIDIA A10G"{more}}}'


def xid(node: str, index: int, code: int) -> str:
    """The name of the series of a GPU's last error."""
    return gpu("DCGM_FI_DEV_XID_ERRORS", node, index, err_code=str(code), err_msg=f"error {code}")


def node_info(node: str) -> str:
    """The name of the series of a node that exists."""
    return f'kube_node_info{{node="{node}"}}'


def node_label(node: str, model: str = "scout") -> str:
    """The name of the series of a node's labels, where kube-state-metrics may show that of the model."""
    return f'kube_node_labels{{node="{node}",label_vllm_eks_model="{model}"}}'


def node_of(pod: str, node: str) -> str:
    """The name of the series that tells a pod's node."""
    return f'kube_pod_info{{namespace="vllm-scout",pod="{pod}",uid="uid-{pod}",node="{node}"}}'


def claim_of(pod: str) -> str:
    """The name of the series that tells a pod's claim of weights."""
    of = f'namespace="vllm-scout",pod="{pod}",uid="uid-{pod}"'
    return f'kube_pod_spec_volumes_persistentvolumeclaims_info{{{of},persistentvolumeclaim="scout-weights-0a1b2c3d"}}'


DOOR = 'model="scout",namespace="vllm-scout",instance="https://scout.models.example.com/health"'


def _front_door() -> dict[str, Sequence[Segment]]:
    # The parked model's address has a certificate, and no pod behind it.
    idle = DOOR.replace("scout", "idle")
    return {
        f"probe_success{{{idle}}}": constant(0),
        f"probe_ssl_earliest_cert_expiry{{{idle}}}": constant(100 * 86_400),
        f"probe_success{{{DOOR}}}": constant(1),
        f"probe_ssl_earliest_cert_expiry{{{DOOR}}}": constant(100 * 86_400),
    }
