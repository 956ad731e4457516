"""`vllm-eks doctor` over HTTP, with a stub of the Kubernetes API and a fake of vLLM's server.

AWS is a stub account for errors that only real accounts have, and moto for the format of EKS's answers.
"""

from typing import Any

import pytest

from tests.fakes.kube_server import Kubernetes, event, pod
from tests.fakes.vllm_server import vllm_double
from tests.support.doctor_runs import CRASH, Doctor, problem
from vllm_eks.pods.causes import cause_of

NO_ROOM = "0/7 nodes are available: "


# --- the engine


@pytest.mark.parametrize(
    ("behaviour", "title"),
    [
        ({}, "answers, idle"),
        ({"delay_seconds": 0.06}, "answers, idle"),
        ({"running": 8, "tokens_per_look": 50, "waiting": 3}, "answers, busy: 8 running, 3 waiting"),
        ({"running": 1, "cache_use_per_look": 0.01}, "answers, busy: 1 running, 0 waiting"),
        ({"running": 8, "tokens_per_look": 1, "delay_seconds": 0.06}, "answers, busy: 8 running, 0 waiting"),
    ],
    ids=["idle", "slow", "busy", "a long prompt", "busy and slow"],
)
def test_an_engine_with_progress_is_healthy(doctor: Doctor, kubernetes: Kubernetes, behaviour: Any, title: str) -> None:
    with vllm_double(**behaviour) as double:
        kubernetes.engine_port = double.port
        code, findings = doctor()
    assert (code, [one["title"] for one in findings]) == (0, [title])


def test_a_stuck_engine_is_only_suspected_after_a_short_time(doctor: Doctor, kubernetes: Kubernetes) -> None:
    with vllm_double(running=2) as double:
        kubernetes.engine_port = double.port
        code, findings = doctor()
    found = problem(findings)
    assert (code, found["code"]) == (1, "seems_stuck")
    assert found["title"] == "seems stuck: 2 requests running, and no progress in 0 s"
    assert "after 300 s" in found["remedy"]


def test_metrics_are_read_at_the_port_that_needs_no_key(doctor: Doctor, kubernetes: Kubernetes) -> None:
    with vllm_double() as double:
        kubernetes.engine_port = double.port
        assert doctor()[0] == 0
    assert set(kubernetes.proxied) == {("8000", "/health"), ("8001", "/metrics")}


def test_metrics_of_pods_of_an_earlier_version_are_read_at_the_apis_port(
    doctor: Doctor, kubernetes: Kubernetes
) -> None:
    kubernetes.pods = [pod(ports={"http": 8000})]
    kubernetes.guards_metrics = False
    with vllm_double() as double:
        kubernetes.engine_port = double.port
        assert doctor()[0] == 0
    assert set(kubernetes.proxied) == {("8000", "/health"), ("8000", "/metrics")}


def test_a_dead_engine_is_reported(doctor: Doctor, kubernetes: Kubernetes) -> None:
    with vllm_double(health=503) as double:
        kubernetes.engine_port = double.port
        code, findings = doctor()
    assert (code, problem(findings)["code"]) == (1, "dead")


def test_a_server_that_gives_no_answer_is_unknown_and_not_dead(doctor: Doctor, kubernetes: Kubernetes) -> None:
    with vllm_double() as gone:
        kubernetes.engine_port = gone.port
    _, findings = doctor()
    assert (problem(findings)["severity"], problem(findings)["code"]) == ("unknown", "no_answer")


# --- pods


@pytest.mark.parametrize(
    ("code", "log"),
    [
        ("gpu_memory", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
        (
            "gpu_taken",
            "ValueError: Free memory on device (9.1/22.0 GiB) on startup is less than desired GPU memory ut",
        ),
        ("kv_cache", "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`"),
        ("kv_cache", "1.0 GiB KV cache is needed, which is larger than the available KV cache memory (0.4 GiB)"),
        ("hub_unauthorized", "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url"),
        ("hub_forbidden", "huggingface_hub.errors.GatedRepoError: 403 Client Error. Cannot access gated repo"),
        ("disk_full", "OSError: [Errno 28] No space left on device"),
        ("unknown_flag", "vllm serve: error: unrecognized arguments: --not-a-flag"),
        ("ranks", "torch.distributed.DistNetworkError: The client socket has timed out after 600000ms"),
        ("s3_denied", "S3 error while reading s3://b/p: AccessDenied: no identity-based policy allows s3:GetObject"),
    ],
)
def test_a_crash_is_explained_from_far_up_its_log(doctor: Doctor, kubernetes: Kubernetes, code: str, log: str) -> None:
    kubernetes.pods = [pod(ready=False, state=CRASH)]
    kubernetes.logs = {
        "scout-0": f"{log}\n" + "  at some line\n" * 200 + "RuntimeError: Engine core initialization failed"
    }
    status, findings = doctor()
    found = problem(findings)
    assert (status, found["code"], found["evidence"]) == (1, code, log)
    known = cause_of(log)
    assert known is not None
    assert (found["title"], found["remedy"]) == (known.title, known.remedy)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("taint", "4 node(s) had untolerated taint {team: other}."),
        ("no_efa", "2 Insufficient vpc.amazonaws.com/efa, 5 node(s) didn't match Pod's node affinity/selector."),
        ("no_gpu", "4 Insufficient nvidia.com/gpu, 3 node(s) had untolerated taint {x: y}."),
        ("placement", "7 node(s) didn't match Pod's node affinity/selector."),
    ],
)
def test_a_pod_without_a_node_is_explained(doctor: Doctor, kubernetes: Kubernetes, code: str, said: str) -> None:
    kubernetes.pods = [pod(ready=False, unscheduled=NO_ROOM + said)]
    assert problem(doctor()[1])["code"] == code


@pytest.mark.parametrize(
    ("code", "state", "events"),
    [
        ("image", {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}, []),
        ("host_memory", {"terminated": {"reason": "OOMKilled", "exitCode": 137}}, []),
        (
            "weights_folder",
            {"waiting": {"reason": "ContainerCreating"}},
            [
                event(
                    "FailedMount",
                    'MountVolume.NewMounter initialization failed for volume "w" : path "/x" does not exist',
                )
            ],
        ),
        (
            "probe_too_short",
            {"terminated": {"reason": "Error", "exitCode": 143}},
            [event("Killing", "Container vllm failed startup probe, will be restarted", kind="Normal")],
        ),
    ],
)
def test_messages_of_the_kubelet_are_explained(
    doctor: Doctor, kubernetes: Kubernetes, code: str, state: dict[str, Any], events: list[Any]
) -> None:
    kubernetes.pods, kubernetes.events = [pod(ready=False, state=state)], events
    assert problem(doctor()[1])["code"] == code


def test_a_start_without_trouble_is_not_a_problem(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    kubernetes.logs = {"scout-0": "Loading safetensors checkpoint shards:  40%"}
    code, (found,) = doctor()
    assert (code, found["title"]) == (0, "is starting, without problems so far")
    assert found["evidence"] == "Loading safetensors checkpoint shards:  40%"


def test_a_restart_that_deleted_its_pods_is_still_reported(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    said = "Liveness probe failed: stuck: 3 requests running and no token for 315 s"
    kubernetes.events = [event("Unhealthy", said, uid="uid of an earlier one")]
    found = problem(doctor()[1])
    assert (found["subject"], found["code"]) == ("scout-0 (gone)", "stuck")


def test_an_incomplete_group_is_reported(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.size = 2
    kubernetes.pods = [pod(ready=False)]
    found = problem(doctor()[1])
    assert (found["code"], found["title"]) == ("half_group", "incomplete group: 1 of 2 pods, without worker 1")
    kubernetes.pods = [pod(ready=False), pod("scout-0-1", index=1)]
    assert not [one for one in doctor()[1] if one["code"] == "half_group"]


def test_no_pod_at_all_has_a_cause(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = []
    kubernetes.events = [event("FailedCreate", "pods is forbidden: exceeded quota", about="scout", uid="lws")]
    assert problem(doctor()[1])["code"] == "namespace_quota"
    kubernetes.replicas = 0
    assert [one["title"] for one in doctor()[1]] == ["is parked"]


def test_a_failed_job_is_reported_with_its_last_log_line(doctor: Doctor, kubernetes: Kubernetes) -> None:
    failed = [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "has reached the limit"}
    ]
    meta = {"name": "scout-ready", "namespace": "vllm-scout"}
    kubernetes.jobs = [{"metadata": meta, "status": {"conditions": failed}}]
    kubernetes.job_pods = [pod("scout-ready-x")]
    with vllm_double() as double:
        kubernetes.engine_port = double.port
        assert problem(doctor()[1])["code"] == "job_failed"
        kubernetes.logs = {"scout-ready-x": "FAILED: HTTP 401 from the Hub for org/model: the token is not valid."}
        assert problem(doctor()[1])["code"] == "hub_unauthorized"
