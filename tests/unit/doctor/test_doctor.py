"""`vllm-eks doctor`, run for real: over HTTP against a stub of the Kubernetes API and a double of vLLM's server.

AWS is a stub of the account for what only goes wrong in earnest, and moto for the shape of EKS's answers.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.fakes.kube_server import Kubernetes, event, kubernetes_stub, pod, write_kubeconfig
from tests.fakes.vllm_server import vllm_double
from vllm_eks.aws import account as aws_account
from vllm_eks.cli import doctor as command
from vllm_eks.errors import WrongQuestion
from vllm_eks.pods.causes import cause_of

STACK = """\
config:
  aws:region: us-west-2
  vllm-eks:network:
    zones: [us-west-2a, us-west-2b]
  vllm-eks:cluster:
    publicAccessCidrs: [203.0.113.0/24]
  vllm-eks:models:
    scout:
      model: Qwen/Qwen3-8B
      instanceType: g5.48xlarge
      zone: us-west-2a
"""
CRASH = {
    "terminated": {"reason": "Error", "exitCode": 1, "message": "RuntimeError: Engine core initialization failed."}
}
DENIED = (
    "HTTP 403 Forbidden: these credentials lack a permission: docs/how-to/doctor.md lists those that the doctor needs"
)
DATA = Path(__file__).parents[2] / "data" / "vllm_failures"
NO_ROOM = "0/7 nodes are available: "


class StubAccount:
    """An account whose EKS has one node group of the model."""

    issues: list[dict[str, str]]
    status = ""
    fault: WrongQuestion | None = None

    def __init__(self, *issues: dict[str, str], fault: WrongQuestion | None = None) -> None:
        self.issues, self.fault = list(issues), fault

    def names(self, *_: str, **__: str) -> list[str]:
        if self.fault:
            raise self.fault
        return ["nodes"]

    def answer(self, *_: str, **__: str) -> dict[str, Any]:
        labels, status = {"vllm-eks/model": "scout"}, self.status or ("CREATING" if self.issues else "ACTIVE")
        group = {"nodegroupName": "nodes", "status": status, "labels": labels, "health": {"issues": self.issues}}
        return {"nodegroup": group}


@pytest.fixture
def kubernetes() -> Iterator[Kubernetes]:
    with kubernetes_stub() as stub:
        stub.pods = [pod()]
        yield stub


Doctor = Callable[..., tuple[int, list[dict[str, str]]]]


@pytest.fixture
def doctor(
    kubernetes: Kubernetes, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Run the command with --json; return its exit status and findings."""
    (folder / "Pulumi.dev.yaml").write_text(STACK)
    kubeconfig = write_kubeconfig(folder / "kubeconfig", kubernetes.port)

    def run(account: StubAccount | None = None, **options: Any) -> tuple[int, list[dict[str, str]]]:
        monkeypatch.setattr(aws_account, "Account", lambda _: account or StubAccount())
        given = {"kubeconfig": kubeconfig, "seconds": 0.05, "json_wanted": True, **options}
        code = command.run_doctor(folder, "dev", **given)
        assert kubernetes.methods <= {"GET"}, "it only reads"
        return code, json.loads(capsys.readouterr().out)

    return run


def problem(findings: list[dict[str, str]]) -> dict[str, str]:
    """Return the only finding that is not well."""
    (found,) = [one for one in findings if one["severity"] != "ok"]
    return found


# --- the engine


@pytest.mark.parametrize(
    ("behaviour", "title"),
    [
        ({}, "answers, idle"),
        ({"delay_seconds": 0.2}, "answers, idle"),
        ({"running": 8, "tokens_per_look": 50, "waiting": 3}, "answers, busy: 8 running, 3 waiting"),
        ({"running": 1, "cache_use_per_look": 0.01}, "answers, busy: 1 running, 0 waiting"),
        ({"running": 8, "tokens_per_look": 1, "delay_seconds": 0.2}, "answers, busy: 8 running, 0 waiting"),
    ],
    ids=["idle", "slow", "busy", "a long prompt", "busy and slow"],
)
def test_an_engine_that_moves_is_well(doctor: Doctor, kubernetes: Kubernetes, behaviour: Any, title: str) -> None:
    with vllm_double(**behaviour) as double:
        kubernetes.engine_port = double.port
        code, findings = doctor()
    assert (code, [one["title"] for one in findings]) == (0, [title])


def test_a_stuck_engine_only_seems_so_after_a_short_look(doctor: Doctor, kubernetes: Kubernetes) -> None:
    with vllm_double(running=2) as double:
        kubernetes.engine_port = double.port
        code, findings = doctor()
    found = problem(findings)
    assert (code, found["code"]) == (1, "seems_stuck")
    assert found["title"] == "seems stuck: 2 requests running, and nothing moved in 0 s"
    assert "after 300 s" in found["remedy"]


def test_a_dead_engine_is_told(doctor: Doctor, kubernetes: Kubernetes) -> None:
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
def test_what_the_kubelet_says_is_explained(
    doctor: Doctor, kubernetes: Kubernetes, code: str, state: dict[str, Any], events: list[Any]
) -> None:
    kubernetes.pods, kubernetes.events = [pod(ready=False, state=state)], events
    assert problem(doctor()[1])["code"] == code


def test_a_start_without_trouble_is_no_problem(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    kubernetes.logs = {"scout-0": "Loading safetensors checkpoint shards:  40%"}
    code, (found,) = doctor()
    assert (code, found["title"]) == (0, "starts, and nothing is wrong with it so far")
    assert found["evidence"] == "Loading safetensors checkpoint shards:  40%"


def test_a_restart_that_took_its_pods_away_is_still_told(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    said = "Liveness probe failed: stuck: 3 requests running and no token for 315 s"
    kubernetes.events = [event("Unhealthy", said, uid="uid of an earlier one")]
    found = problem(doctor()[1])
    assert (found["subject"], found["code"]) == ("scout-0 (gone)", "stuck")


def test_half_a_group_is_told(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.size = 2
    kubernetes.pods = [pod(ready=False)]
    found = problem(doctor()[1])
    assert (found["code"], found["title"]) == ("half_group", "half a group: 1 of 2 pods, without worker 1")
    kubernetes.pods = [pod(ready=False), pod("scout-0-1", index=1)]
    assert not [one for one in doctor()[1] if one["code"] == "half_group"]


def test_no_pod_at_all_has_a_cause(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = []
    kubernetes.events = [event("FailedCreate", "pods is forbidden: exceeded quota", about="scout", uid="lws")]
    assert problem(doctor()[1])["code"] == "namespace_quota"
    kubernetes.replicas = 0
    assert [one["title"] for one in doctor()[1]] == ["is parked"]


def test_a_failed_job_is_told_with_its_last_words(doctor: Doctor, kubernetes: Kubernetes) -> None:
    failed = [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "has reached the limit"}
    ]
    meta = {"name": "scout-ready", "namespace": "vllm-scout"}
    kubernetes.jobs = [{"metadata": meta, "status": {"conditions": failed}}]
    kubernetes.job_pods = [pod("scout-ready-x")]
    with vllm_double() as double:
        kubernetes.engine_port = double.port
        assert problem(doctor()[1])["code"] == "job_failed"
        kubernetes.logs = {"scout-ready-x": "FAILED: HTTP 401 of the Hub for org/model: no token, or not a valid one."}
        assert problem(doctor()[1])["code"] == "hub_unauthorized"


# --- the account, and what does not answer


@pytest.mark.parametrize(
    ("code", "issue", "message"),
    [
        ("no_capacity", "AsgInstanceLaunchFailures", "We currently do not have sufficient g5.48xlarge capacity in the"),
        (
            "quota",
            "AsgInstanceLaunchFailures",
            "You have requested more vCPU capacity than your current vCPU limit of 0",
        ),
        ("no_launch", "NodeCreationFailure", "Instances failed to join the kubernetes cluster"),
    ],
)
def test_a_node_group_that_gets_no_nodes_is_explained(
    doctor: Doctor, kubernetes: Kubernetes, code: str, issue: str, message: str
) -> None:
    kubernetes.pods = [pod(ready=False)]
    assert problem(doctor(StubAccount({"code": issue, "message": message}))[1])["code"] == code


def test_eks_is_asked_in_its_own_words(
    moto_account: None, doctor: Doctor, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes.pods = [pod(ready=False)]
    account = aws_account.Account
    eks = boto3.client("eks", region_name="us-west-2")
    role = "arn:aws:iam::123456789012:role/r"
    eks.create_cluster(name="vllm-eks-dev", roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1"]})
    nodes = {"subnets": ["subnet-1"], "nodeRole": role, "labels": {"vllm-eks/model": "scout"}}
    eks.create_nodegroup(clusterName="vllm-eks-dev", nodegroupName="n", **nodes)
    real = account(aws_account.Place(region="us-west-2"))
    code, findings = doctor(real)
    assert (code, [one["severity"] for one in findings]) == (0, ["ok"])


def test_a_cluster_that_does_not_answer_is_unknown(doctor: Doctor, kubernetes: Kubernetes, folder: Path) -> None:
    kubernetes.status = 403
    code, findings = doctor()
    assert (code, problem(findings)["title"], problem(findings)["severity"]) == (1, DENIED, "unknown")
    nobody = write_kubeconfig(folder / "nobody", 9)
    assert problem(doctor(kubeconfig=nobody)[1])["title"].startswith("no answer (")
    missing = problem(doctor(kubeconfig=folder / "none")[1])["title"]
    assert missing.startswith("no usable kubeconfig (")
    assert missing.endswith("pulumi stack output kubeconfig --show-secrets writes one; give it with --kubeconfig")


def test_an_account_that_does_not_answer_is_unknown(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    found = problem(
        doctor(StubAccount(fault=WrongQuestion("these AWS credentials may not call eks:ListNodegroups")))[1]
    )
    assert (found["subject"], found["severity"]) == ("the node groups", "unknown")


def test_another_cluster_is_not_taken_for_the_stacks(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.has_group, kubernetes.pods = False, []
    assert problem(doctor()[1])["code"] == "no_group"


def test_no_such_stack_and_no_model_are_wrong_questions(doctor: Doctor, folder: Path) -> None:
    with pytest.raises(WrongQuestion, match=r"Pulumi\.none\.yaml"):
        command.run_doctor(folder, "none")
    (folder / "Pulumi.bare.yaml").write_text("config:\n  aws:region: us-west-2\n")
    with pytest.raises(WrongQuestion, match=r"Pulumi.bare.yaml has no model to look for"):
        command.run_doctor(folder, "bare")


def test_people_get_a_table_without_tokens(
    doctor: Doctor, kubernetes: Kubernetes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubernetes.pods = [pod(ready=False, state=CRASH)]
    kubernetes.logs = {"scout-0": "401 Client Error: Invalid user token hf_planted [again]"}
    doctor()
    command.run_doctor(folder, "dev", kubeconfig=folder / "kubeconfig", seconds=0)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "what finding",
        "PROBLEM scout-0 the Hugging Face token is missing or wrong",
        "evidence: 401 Client Error: Invalid user token *** [again]",
        "fix: run pulumi config set --secret huggingFaceToken, then pulumi up",
    ]


# --- nodes, releases, and what is over


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
            "a GPU of it failed: kubectl drain ip-10-0-1-10 --ignore-daemonsets",
        ),
        (
            ("AcceleratedHardwareReady", "False", "DCGMError", "DCGM is not reachable"),
            "AcceleratedHardwareReady is False",
            "the agent's own DCGM server does not answer, which says nothing of the GPUs",
        ),
        (("KernelReady", "False", "SoftLockup", "CPU stuck"), "KernelReady is False", "its kernel is in trouble: "),
        (("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped"), "Ready is Unknown", "wait five minutes; "),
        (("DiskPressure", "True", "KubeletHasDiskPressure", "x"), "DiskPressure is True", "its disk fills: "),
    ],
)
def test_a_bad_condition_of_a_gpu_node_is_told_with_what_to_do(
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


def test_an_interrupted_release_is_told_with_the_command(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods, kubernetes.releases = [pod(ready=False)], [pending(4000)]
    found = problem(doctor()[1])
    assert (found["subject"], found["code"]) == ("release scout", "pending_release")
    assert found["title"] == "is pending-upgrade: an interrupted pulumi up left it so, and the next one fails"
    assert found["remedy"] == (
        "if no pulumi up runs: kubectl -n vllm-scout delete secret sh.helm.release.v1.scout.v3, then pulumi up"
    )


def test_a_release_that_may_still_run_is_no_finding(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods, kubernetes.releases = [pod(ready=False)], [pending(60)]
    assert doctor()[0] == 0
    job = {"metadata": {"name": "scout-ready", "namespace": "vllm-scout"}, "spec": {"activeDeadlineSeconds": 6000}}
    kubernetes.jobs, kubernetes.releases = [job], [pending(4000)]
    assert doctor()[0] == 0


def test_a_failed_node_group_is_told_with_the_way_to_go_on(doctor: Doctor, kubernetes: Kubernetes) -> None:
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


def test_what_was_said_of_pods_that_are_gone_or_are_well_is_no_problem(doctor: Doctor, kubernetes: Kubernetes) -> None:
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


def test_a_job_that_has_no_node_is_told(doctor: Doctor, kubernetes: Kubernetes) -> None:
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


def test_a_start_is_told_with_its_stage_and_its_memory_beside_the_plan(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    kubernetes.logs = {"scout-0": "Model loading took 14.9 GiB memory and 30 seconds"}
    spec = {"template": {"spec": {"containers": [{"args": ['--planned={"weightsGibHigh": 12.5}']}]}}}
    kubernetes.jobs = [{"metadata": {"name": "scout-ready", "namespace": "vllm-scout"}, "spec": spec}]
    (found,) = doctor()[1]
    assert found["evidence"] == (
        "weights are loaded; WARNING: weights take 14.90 GiB of a GPU, more than the 12.50 planned: the KV cache is "
        "smaller by that"
    )


def test_a_group_without_its_leader_is_told(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.size, kubernetes.pods = 2, [pod("scout-0-1", index=1, ready=False)]
    assert problem(doctor()[1])["title"] == "half a group: 1 of 2 pods, without its leader"
