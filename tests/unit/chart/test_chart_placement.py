"""The placement and permissions of the chart's pods, and objects next to the group."""

import re
from typing import Any

import pytest

from tests.support.chart_rendering import Rendered, render_text, tool, with_value
from tests.support.chart_values import ONE_NODE, ROLES

pytestmark = pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")
ZONE = "topology.kubernetes.io/zone"
LWS_NAME = "leaderworkerset.sigs.k8s.io/name"
EMPTY_DIRS = {"/dev/shm": "shared-memory", "/weights": "weights", "/home/vllm": "home", "/tmp": "tmp"}


# --- where it runs


@pytest.mark.parametrize("role", ROLES)
def test_zone_and_type_are_required_and_the_own_node_group_is_preferred(two_nodes: Rendered, role: str) -> None:
    spec = two_nodes.template(role)["spec"]
    assert spec["nodeSelector"] == {"node.kubernetes.io/instance-type": "g5.48xlarge"}
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["us-west-2a"]}]}
    ]
    (preferred,) = spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"]["matchExpressions"] == [
        {"key": "vllm-eks/model", "operator": "In", "values": ["scout"]}
    ]
    gone = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    assert spec["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/not-ready", **gone},
        {"key": "node.kubernetes.io/unreachable", **gone},
    ]


@pytest.mark.parametrize("role", ROLES)
def test_pipeline_stages_never_share_a_node(two_nodes: Rendered, role: str) -> None:
    affinity = two_nodes.template(role)["spec"]["affinity"]["podAntiAffinity"]
    assert affinity["requiredDuringSchedulingIgnoredDuringExecution"] == [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {LWS_NAME: "scout"}}}
    ]


def test_copies_that_fit_on_one_node_may_share_it(one_node: Rendered) -> None:
    assert "podAntiAffinity" not in one_node.template("leader")["spec"]["affinity"]


# --- what it may do


@pytest.mark.parametrize("role", ROLES)
def test_a_pod_has_no_rights_beyond_its_volumes(two_nodes: Rendered, role: str) -> None:
    spec = two_nodes.template(role)["spec"]
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    assert spec["securityContext"] == {
        **{"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000},
        **{"fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"}},
    }
    assert two_nodes.container(role)["securityContext"] == {
        **{"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }
    assert spec["terminationGracePeriodSeconds"] == 120


@pytest.mark.parametrize("role", ROLES)
def test_everything_that_is_written_goes_to_a_sized_volume(one_node: Rendered, role: str) -> None:
    mounts = {entry["mountPath"]: entry["name"] for entry in one_node.container(role)["volumeMounts"]}
    mine = {"/middleware": "middleware", "/secrets/api-key": "api-key"} if role == "leader" else {}
    assert mounts == {**EMPTY_DIRS, "/scripts/vllm_eks/pods": "scripts", **mine}
    assert one_node.volume(role, "shared-memory")["emptyDir"] == {"medium": "Memory", "sizeLimit": "16Gi"}
    own = Rendered(render_text(with_value(ONE_NODE, "weights.nodePath", None)))
    assert own.volume(role, "weights")["emptyDir"] == {"sizeLimit": "250Gi"}
    assert all("sizeLimit" in one_node.volume(role, name)["emptyDir"] for name in ("home", "tmp"))
    env = one_node.env(role)
    assert env["HF_HOME"] == "/weights"
    caches = {name for name in env if str(env[name]).startswith(f"{env['HOME']}/")}
    assert caches == {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "VLLM_CONFIG_ROOT", "HF_MODULES_CACHE"}
    assert env["USER"] == env["LOGNAME"] == "vllm"


def caches_folder(**changes: Any) -> str:
    """Return the folder that a pod compiles to."""
    values = ONE_NODE
    for path, value in changes.items():
        values = with_value(values, path, value)
    env = Rendered(render_text(values)).env("leader")
    compiled = [name for name in env if str(env[name]).startswith("$(CACHES_FOLDER)/")]
    assert compiled == [
        *("VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "FLASHINFER_WORKSPACE_BASE"),
        "CUDA_CACHE_PATH",
    ]
    # A variable can only refer to an earlier one.
    names = list(env)
    assert names.index("POD_NAME") < names.index("CACHES_FOLDER") < names.index(compiled[0])
    return env["CACHES_FOLDER"]


def test_compiled_kernels_stay_on_the_node_for_the_same_image_and_pod() -> None:
    """Two pods on a node, or two versions, never share a folder, because neither locks it."""
    folder = caches_folder()
    assert re.fullmatch(r"/weights/\.compiled/\$\(POD_NAME\)/[0-9a-f]{12}", folder)
    others = [caches_folder(image="docker.io/own/vllm:1"), caches_folder(vllmVersion="0.26.0")]
    assert len({folder, *others}) == 3
    assert caches_folder(**{"weights.nodePath": None}).startswith("/home/vllm/.cache/compiled/$(POD_NAME)/")


def test_secrets_are_mounted_by_name_and_only_where_used(one_node: Rendered, two_nodes: Rendered) -> None:
    assert two_nodes.volume("leader", "api-key")["secret"] == {"secretName": "api-key-1", "defaultMode": 0o440}
    assert two_nodes.env("leader")["API_KEYS_FOLDER"] == "/secrets/api-key"
    assert "API_KEYS_FOLDER" not in two_nodes.env("worker")
    assert not [found for found in two_nodes.template("worker")["spec"]["volumes"] if found["name"] == "api-key"]
    for role in ROLES:
        volume = two_nodes.volume(role, "hugging-face-token")["secret"]
        assert volume["secretName"] == "hf-token-1"
        assert volume["items"] == [{"key": "token", "path": "token"}]
        assert two_nodes.env(role)["HF_TOKEN_PATH"] == "/secrets/hugging-face/token"
        assert "HF_TOKEN_PATH" not in one_node.env(role)
    assert not [found for found in two_nodes.objects if found["kind"] == "Secret"]


# --- what conflicts with the group


def test_the_service_selects_leaders_and_has_another_name_than_the_group(two_copies: Rendered) -> None:
    service = two_copies.one("Service")
    assert service["metadata"]["name"] == "scout-api"
    assert service["spec"]["type"] == "ClusterIP"
    assert service["spec"]["selector"] == {LWS_NAME: "scout", "leaderworkerset.sigs.k8s.io/worker-index": "0"}
    assert service["spec"]["ports"] == [{"name": "http", "port": 9000, "targetPort": "http"}]
    assert two_copies.container("leader")["ports"] == [
        {"name": "http", "containerPort": 9000},
        {"name": "metrics", "containerPort": 8001},
    ]
    assert two_copies.container("leader")["args"][5:7] == ["--port", "9000"]


def test_the_disruption_budget_allows_one_complete_group(one_node: Rendered, two_copies: Rendered) -> None:
    assert one_node.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert two_copies.one("PodDisruptionBudget")["spec"] == {
        "maxUnavailable": 2,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": {LWS_NAME: "scout"}},
    }
