"""The objects of a benchmark: Pod Security, limits, secrets, and what the network allows."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.bench_cluster import group
from vllm_eks.bench.manifests import job, network_policies
from vllm_eks.bench.placement import Placement
from vllm_eks.bench.target import Target, TokenizerSource, target_of

TARGET = target_of(group(), "scout", "vllm-scout")
ALONE = Placement(labels={"kubernetes.io/hostname": ("node-a", "node-b")}, beside_the_model=False)
BESIDE = Placement(
    labels={"topology.kubernetes.io/zone": ("us-west-2a",), "node.kubernetes.io/instance-type": ("g6e.xlarge",)},
    beside_the_model=True,
)
LEADERS = {"leaderworkerset.sigs.k8s.io/name": "scout", "leaderworkerset.sigs.k8s.io/worker-index": "0"}


def made(target: Target = TARGET, placement: Placement = ALONE) -> Any:
    return job(target, placement, command=["python3", "-c", "script"], arguments=["--x", "$(HOME)"])


def pod(target: Target = TARGET, placement: Placement = ALONE) -> Any:
    return made(target, placement)["spec"]["template"]["spec"]


def test_a_job_runs_once_within_an_hour_and_goes_by_itself() -> None:
    spec = made()["spec"]

    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (0, 3600, 3600)
    assert pod()["restartPolicy"] == "Never"
    assert made()["metadata"]["name"] == "scout-bench"
    assert made()["metadata"]["namespace"] == "vllm-scout"


def test_the_pod_is_restricted() -> None:
    (container,) = pod()["containers"]

    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["automountServiceAccountToken"] is False
    assert {next(iter(volume.keys() - {"name"})) for volume in pod()["volumes"]} <= {"emptyDir", "secret"}


def test_the_client_has_no_gpu_even_on_a_gpu_node() -> None:
    (container,) = pod(placement=BESIDE)["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}

    assert "nvidia.com/gpu" not in json.dumps(container["resources"])
    assert (variables["NVIDIA_VISIBLE_DEVICES"], variables["CUDA_VISIBLE_DEVICES"]) == ("void", "")


def test_the_key_is_a_file_and_never_in_the_pod_s_own_text() -> None:
    (container,) = pod()["containers"]
    (volume,) = [one for one in pod()["volumes"] if one["name"] == "api-key"]

    assert volume["secret"] == {
        "secretName": "scout-api-key-1f2e3d",
        "defaultMode": 0o440,
        "items": [{"key": "apiKey", "path": "apiKey"}],
    }
    assert all("valueFrom" not in one for one in container["env"])
    assert not {"OPENAI_API_KEY", "HF_TOKEN"} & {one["name"] for one in container["env"]}


def test_kubernetes_replaces_nothing_in_the_arguments() -> None:
    (container,) = pod()["containers"]
    assert container["args"] == ["--x", "$$(HOME)"]


def test_a_gated_model_s_token_is_mounted_for_its_tokenizer() -> None:
    (container,) = pod(replace(TARGET, hugging_face_secret="hub-token-1"))["containers"]

    assert {"name": "HF_TOKEN_PATH", "value": "/secrets/hugging-face/token"} in container["env"]
    assert "hugging-face-token" in [one["name"] for one in container["volumeMounts"]]
    assert "hugging-face-token" not in [one["name"] for one in pod()["containers"][0]["volumeMounts"]]


@pytest.mark.parametrize(
    ("placement", "rules", "tolerations"),
    [
        (
            ALONE,
            [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-a", "node-b"]}],
            [],
        ),
        (
            BESIDE,
            [
                {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["g6e.xlarge"]},
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2a"]},
            ],
            [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        ),
    ],
    ids=["alone", "beside the model"],
)
def test_the_pod_runs_where_it_is_placed(placement: Placement, rules: list[Any], tolerations: list[Any]) -> None:
    required = pod(placement=placement)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]

    assert required == {"nodeSelectorTerms": [{"matchExpressions": rules}]}
    assert pod(placement=placement)["tolerations"] == tolerations


def policies(target: Target = TARGET) -> dict[str, Any]:
    owner = {"name": "scout-bench", "uid": "0123456789abcdef"}
    return {str(one["metadata"]["name"]): one for one in network_policies(target, owner)}  # pyright: ignore[reportIndexIssue]  (an object)


def test_the_network_lets_the_client_to_the_leaders_and_to_the_tokenizer() -> None:
    client = {"matchLabels": made()["spec"]["template"]["metadata"]["labels"]}
    port = {"protocol": "TCP", "port": 8000}
    found = policies()

    assert set(found) == {"scout-bench-01234567", "scout-bench-01234567-leaders"}
    assert found["scout-bench-01234567"]["spec"] == {
        "podSelector": client,
        "policyTypes": ["Egress"],
        "egress": [
            {"to": [{"podSelector": {"matchLabels": LEADERS}}], "ports": [port]},
            {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]},
        ],
    }
    assert found["scout-bench-01234567-leaders"]["spec"] == {
        "podSelector": {"matchLabels": LEADERS},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": client}], "ports": [port]}],
    }


def test_the_policies_end_with_the_job() -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "scout-bench", "uid": "0123456789abcdef"}
    assert [one["metadata"]["ownerReferences"] for one in policies().values()] == [[owner], [owner]]


def test_a_bucket_also_needs_the_agent_with_its_credentials() -> None:
    stored = replace(TARGET, tokenizer=TokenizerSource(place="s3://bucket/qwen"))

    assert policies(stored)["scout-bench-01234567"]["spec"]["egress"][-1] == {
        "to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}],
        "ports": [{"protocol": "TCP", "port": 80}],
    }
    assert pod(stored)["serviceAccountName"] == "scout"


def test_a_proxy_is_for_the_tokenizer_and_not_for_the_endpoint() -> None:
    given = {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "10.0.0.0/8", "HF_ENDPOINT": "https://mirror.example"}
    (container,) = pod(replace(TARGET, download_variables=given))["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}

    assert variables.items() >= {**given, "no_proxy": "10.0.0.0/8,scout-api.vllm-scout.svc"}.items()
    assert variables["NO_PROXY"] == "scout-api.vllm-scout.svc"
