"""The doctor's findings about nodes, Helm releases and past problems."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube_server import Kubernetes, event, pod
from tests.fakes.vllm_server import vllm_double
from tests.support.doctor_runs import Doctor, StubAccount, problem

DATA = Path(__file__).parents[2] / "data" / "vllm_failures"


# --- nodes, releases, and past problems


def node(*conditions: tuple[str, str, str, str]) -> dict[str, Any]:
    keys = ("type", "status", "reason", "message")
    found = [dict(zip(keys, one, strict=True)) for one in conditions]
    return {
        "metadata": {"name": "ip-10-0-1-10", "labels": {"vllm-eks/model": "scout"}},
        "status": {"conditions": found},
    }


@pytest.mark.parametrize(
    ("condition", "title", "remedy"),
    [
        (
            ("AcceleratedHardwareReady", "False", "NvidiaXID79Error", "GPU has fallen off the bus"),
            "AcceleratedHardwareReady is False",
            "one of its GPUs failed: kubectl drain ip-10-0-1-10 --ignore-daemonsets",
        ),
        (
            ("AcceleratedHardwareReady", "False", "DCGMError", "DCGM is not reachable"),
            "AcceleratedHardwareReady is False",
            "the agent's DCGM server does not answer, which is not a GPU failure",
        ),
        (("KernelReady", "False", "SoftLockup", "CPU stuck"), "KernelReady is False", "its kernel has a problem: "),
        (("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped"), "Ready is Unknown", "wait five minutes; "),
        (
            ("DiskPressure", "True", "KubeletHasDiskPressure", "x"),
            "DiskPressure is True",
            "its disk is filling up with old revisions",
        ),
    ],
)
def test_a_bad_condition_of_a_gpu_node_is_reported_with_a_fix(
    doctor: Doctor, kubernetes: Kubernetes, condition: Any, title: str, remedy: str
) -> None:
    kubernetes.pods, kubernetes.nodes = [pod(ready=False)], [node(("Ready", "True", "KubeletReady", ""), condition)]
    if condition[0] == "Ready":
        kubernetes.nodes = [node(condition)]
    found = problem(doctor()[1])
    assert (found["subject"], found["title"]) == ("node ip-10-0-1-10", title)
    assert found["remedy"].startswith(remedy)
    assert found["evidence"] == f"{condition[2]}: {condition[3]}"


def test_good_conditions_of_a_real_node_and_nodes_of_others_are_no_finding(
    doctor: Doctor, kubernetes: Kubernetes
) -> None:
    real = json.loads((Path(__file__).parents[2] / "data" / "kubernetes_1.36.json").read_text())["node_conditions"]
    well = node()
    well["status"]["conditions"] = [*real, {"type": "KernelReady", "status": "True"}]
    others = node(("Ready", "False", "x", "y"))
    others["metadata"]["labels"] = {"vllm-eks/model": "another"}
    kubernetes.pods, kubernetes.nodes = [pod(ready=False)], [well, others]
    assert doctor()[0] == 0


def pending(age_seconds: float) -> dict[str, Any]:
    labels = {"owner": "helm", "name": "scout", "status": "pending-upgrade", "version": "3"}
    labels["modifiedAt"] = str(int(time.time() - age_seconds))
    return {"metadata": {"name": "sh.helm.release.v1.scout.v3", "labels": labels}}


def test_an_interrupted_release_is_reported_with_the_command(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods, kubernetes.releases = [pod(ready=False)], [pending(4000)]
    found = problem(doctor()[1])
    assert (found["subject"], found["code"]) == ("release scout", "pending_release")
    assert found["title"] == "is pending-upgrade after an interrupted pulumi up, and the next one fails"
    assert found["remedy"] == (
        "when no pulumi up is running: kubectl -n vllm-scout delete secret sh.helm.release.v1.scout.v3, then pulumi up"
    )


def test_a_release_that_may_still_run_is_not_a_finding(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods, kubernetes.releases = [pod(ready=False)], [pending(60)]
    assert doctor()[0] == 0
    job = {"metadata": {"name": "scout-ready", "namespace": "vllm-scout"}, "spec": {"activeDeadlineSeconds": 6000}}
    kubernetes.jobs, kubernetes.releases = [job], [pending(4000)]
    assert doctor()[0] == 0


def test_a_failed_node_group_is_reported_with_a_fix(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    account = StubAccount(
        {"code": "AsgInstanceLaunchFailures", "message": "We currently do not have sufficient g5.48xlarge capacity in"}
    )
    account.status = "CREATE_FAILED"
    found = problem(doctor(account)[1])
    assert found["code"] == "no_capacity"
    assert found["evidence"].startswith("CREATE_FAILED, AsgInstanceLaunchFailures: We currently do not have")
    assert found["remedy"].endswith(
        "aws eks delete-nodegroup --cluster-name vllm-eks-dev --nodegroup-name nodes, pulumi refresh, pulumi up"
    )


def test_events_of_deleted_or_healthy_pods_are_no_problem(doctor: Doctor, kubernetes: Kubernetes) -> None:
    gone = {"about": "scout-0", "uid": "uid of an earlier one"}
    kubernetes.pods = [pod(ready=False)]
    kubernetes.events = [
        event("FailedScheduling", "0/6 nodes are available: 6 Insufficient nvidia.com/gpu.", **gone),
        event("FailedScheduling", "0/6 nodes are available: 2 Insufficient memory.", about="scout-ready-x"),
    ]
    assert doctor()[0] == 0
    kubernetes.pods = [pod()]
    kubernetes.events = [event("Unhealthy", "Liveness probe failed: stuck: 3 requests running and no token", **gone)]
    with vllm_double() as double:
        kubernetes.engine_port = double.port
        assert doctor()[0] == 0


def test_a_job_that_has_no_node_is_reported(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.jobs = [{"metadata": {"name": "weights-1", "namespace": "vllm-scout"}, "status": {"active": 1}}]
    kubernetes.pods = [pod(ready=False)]
    waiting = pod("weights-1-x", ready=False, unscheduled="0/6 nodes are available: 2 Insufficient memory.")
    waiting["status"]["phase"] = "Pending"
    kubernetes.job_pods = [waiting]
    found = problem(doctor()[1])
    assert (found["subject"], found["code"]) == ("job weights-1", "no_room")


def test_an_engine_that_ended_with_status_0_is_a_crash(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False, last_state={"terminated": {"reason": "Completed", "exitCode": 0}})]
    kubernetes.logs = {"scout-0": (DATA / "0.32.0" / "worker-process-killed.log").read_text()}
    found = problem(doctor()[1])
    assert (found["code"], found["title"]) == ("killed", "a process of the engine was killed from outside")


def test_a_start_is_reported_with_its_stage_and_its_memory(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    kubernetes.logs = {"scout-0": "Model loading took 14.9 GiB memory and 30 seconds"}
    spec = {"template": {"spec": {"containers": [{"args": ['--planned={"weightsGibHigh": 12.5}']}]}}}
    kubernetes.jobs = [{"metadata": {"name": "scout-ready", "namespace": "vllm-scout"}, "spec": spec}]
    (found,) = doctor()[1]
    assert found["evidence"] == (
        "weights are loaded; WARNING: the weights take 14.90 GiB per GPU, more than the planned 12.50: the KV cache is "
        "smaller by the difference"
    )


def test_a_group_without_its_leader_is_reported(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.size, kubernetes.pods = 2, [pod("scout-0-1", index=1, ready=False)]
    assert problem(doctor()[1])["title"] == "incomplete group: 1 of 2 pods, without its leader"
