"""Real objects of Kubernetes 1.36 (tests/data/kubernetes_1.36.json), read by the hook Job and the doctor."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import kube_server as doctor_cluster
from tests.fakes import kube_stub as stub_cluster
from vllm_eks.pods.causes import cause_of
from vllm_eks.pods.complaints import complaints_by_uid
from vllm_eks.pods.rollout import judge, trouble

REAL = json.loads((Path(__file__).parents[2] / "data" / "kubernetes_1.36.json").read_text())


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("too-large", "never_fits"),
        ("job-without-room", "never_fits"),
        ("no-such-node", "placement"),
        ("gpus-taken", "no_gpu"),
        ("no-claim", "volume"),
        ("unbound-claim", "volume"),
    ],
)
def test_why_a_real_pod_has_no_node(name: str, code: str) -> None:
    cause = cause_of(trouble(REAL["pods"][name], ""))
    assert cause is not None
    assert cause.code == code


@pytest.mark.parametrize(("namespace", "code"), [("quota", "namespace_quota"), ("strict", "refused")])
def test_why_a_real_group_has_no_pods(namespace: str, code: str) -> None:
    events, lws = REAL["refused"][namespace]["events"], REAL["refused"][namespace]["lws"]
    rollout = judge(lws, [], complaints_by_uid(events), name="scout", revision="r", replicas=1)
    ((about, text),) = rollout.troubles
    cause = cause_of(text)
    assert cause is not None
    assert (about, cause.code) == ("scout", code)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        # Kubernetes before 1.36 includes the name of the taint.
        ("2 Insufficient memory, 4 node(s) had untolerated taint {nvidia.com/gpu: true}.", "no_room"),
        ("6 node(s) had untolerated taint {nvidia.com/gpu: true}.", "taint"),
        ("2 node(s) didn't match Pod's node affinity/selector, 4 node(s) had untolerated taint(s).", "taint"),
        (
            "2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 4 node(s) didn't match it.",
            "node_trouble",
        ),
        ("1 Insufficient cpu, 5 node(s) had untolerated taint(s).", "no_room"),
    ],
)
def test_the_scheduler_s_message_is_reduced_to_usable_nodes(said: str, code: str) -> None:
    cause = cause_of(f"Unschedulable, 0/6 nodes are available: {said}")
    assert cause is not None
    assert cause.code == code


def shape(double: Any, real: Any, path: str = "") -> list[str]:
    """Return the keys of a fake that the real object lacks."""
    if isinstance(double, dict):
        missing = [f"{path}.{key}" for key in double if key not in real]
        return missing + [at for key in double if key in real for at in shape(double[key], real[key], f"{path}.{key}")]
    if isinstance(double, list):
        return [at for one in double[:1] for at in shape(one, real[0], f"{path}[]")] if real else []
    return []


@pytest.mark.parametrize("module", [stub_cluster, doctor_cluster])
def test_the_fake_events_look_like_real_ones(module: Any) -> None:
    real = next(event for event in REAL["refused"]["quota"]["events"] if event["reason"] == "FailedCreate")
    assert shape(module.event("FailedCreate", "x", about="scout"), real) == []


def test_the_fake_unscheduled_pods_look_like_real_ones() -> None:
    real = REAL["pods"]["too-large"]
    for double in (doctor_cluster.pod(unscheduled="x"), stub_cluster.pod(conditions=(NO_NODE,))):
        # KWOK has no kubelet. Ready and an IP come from a kubelet, and labels from LeaderWorkerSet.
        double["metadata"].pop("labels")
        double["status"].pop("podIP", None)
        double["status"]["conditions"] = double["status"]["conditions"][1:]
        double["status"].pop("containerStatuses")
        # The recorded pods declare no ports.
        for container in double.get("spec", {}).get("containers", []):
            container.pop("ports", None)
        assert shape(double, real) == []


NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "x"}
