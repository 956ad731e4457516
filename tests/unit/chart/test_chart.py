"""The chart, rendered by the real helm: the group, its pods, and what stands beside them."""

import re
from typing import Any

import pytest

from tests.support.chart_rendering import IMAGE, Rendered, model_values, render_text, tool, with_value

pytestmark = pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")

ZONE = "topology.kubernetes.io/zone"
LWS_NAME = "leaderworkerset.sigs.k8s.io/name"
ONE_NODE = model_values(tensor=8, pipeline=1)
TWO_NODES = with_value(
    with_value(model_values(tensor=8, pipeline=2), "secrets.huggingFaceToken", "hf-token-1"), "model.revision", "c0ffee"
)
TWO_COPIES = with_value(model_values(tensor=4, pipeline=2, replicas=2, port=9000), "resources.efa", 1)
ROLES = ("leader", "worker")
EMPTY_DIRS = {"/dev/shm": "shared-memory", "/weights": "weights", "/home/vllm": "home", "/tmp": "tmp"}


@pytest.fixture(scope="session")
def one_node() -> Rendered:
    return Rendered(render_text(ONE_NODE))


@pytest.fixture(scope="session")
def two_nodes() -> Rendered:
    return Rendered(render_text(TWO_NODES))


@pytest.fixture(scope="session")
def two_copies() -> Rendered:
    return Rendered(render_text(TWO_COPIES))


# --- the group


def test_a_group_has_as_many_pods_as_pipeline_stages(one_node: Rendered, two_nodes: Rendered) -> None:
    assert one_node.one("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]["size"] == 1
    assert two_nodes.one("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]["size"] == 2


def test_replicas_are_groups(one_node: Rendered, two_copies: Rendered) -> None:
    assert one_node.one("LeaderWorkerSet")["spec"]["replicas"] == 1
    assert two_copies.one("LeaderWorkerSet")["spec"]["replicas"] == 2


def test_a_group_is_replaced_as_a_whole_and_without_spare_gpus(two_nodes: Rendered) -> None:
    spec = two_nodes.one("LeaderWorkerSet")["spec"]
    assert spec["leaderWorkerTemplate"]["restartPolicy"] == "RecreateGroupOnPodRestart"
    assert spec["rolloutStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdateConfiguration": {"maxUnavailable": 1, "maxSurge": 0},
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_pod_asks_for_its_share_of_the_node(two_nodes: Rendered, role: str) -> None:
    assert two_nodes.container(role)["resources"] == {
        "requests": {"cpu": "153600m", "memory": "614Gi", "ephemeral-storage": "270Gi", "nvidia.com/gpu": "8"},
        "limits": {"memory": "614Gi", "nvidia.com/gpu": "8"},
    }


@pytest.mark.parametrize("role", ROLES)
def test_efa_is_asked_for_by_leader_and_workers_alike(two_copies: Rendered, role: str) -> None:
    resources = two_copies.container(role)["resources"]
    assert resources["requests"]["vpc.amazonaws.com/efa"] == "1"
    assert resources["limits"] == {"memory": "614Gi", "nvidia.com/gpu": "4", "vpc.amazonaws.com/efa": "1"}


@pytest.mark.parametrize("role", ROLES)
def test_all_pods_run_the_one_image(two_nodes: Rendered, role: str) -> None:
    assert two_nodes.container(role)["image"] == IMAGE


# --- how vLLM is started

LEADERS_OWN = (
    *("--middleware", "vllm_eks_keys.ApiKeys", "--enable-server-load-tracking", "--shutdown-timeout", "15"),
    *("--disable-access-log-for-endpoints", "/health,/load,/metrics,/ping"),
)


def test_one_node_is_started_without_any_multi_node_flag(one_node: Rendered) -> None:
    leader = one_node.container("leader")
    assert leader["command"] == [
        *(
            "python3",
            "-E",
            "-S",
            "/scripts/vllm_eks/pods/supervise.py",
            "--index=0",
            "--size=1",
            "--leader=localhost",
            "--port=8000",
        ),
        *("--start-seconds=2400", "--", "vllm", "serve"),
    ]
    assert leader["args"] == [
        *("org/model", "--served-model-name", "scout", "--host", "0.0.0.0", "--port", "8000", *LEADERS_OWN),
        *("--tensor-parallel-size", "8", "--pipeline-parallel-size", "1"),
    ]


def test_the_leader_of_two_nodes_is_the_master_at_its_own_address(two_nodes: Rendered) -> None:
    assert two_nodes.container("leader")["args"] == [
        *("org/model", "--served-model-name", "scout", "--revision", "c0ffee", "--host", "0.0.0.0", "--port", "8000"),
        *LEADERS_OWN,
        *("--tensor-parallel-size", "8", "--pipeline-parallel-size", "2"),
        *("--nnodes", "$(LWS_GROUP_SIZE)", "--node-rank", "$(LWS_WORKER_INDEX)"),
        *("--master-addr", "$(POD_IP)", "--master-port", "29501"),
    ]


@pytest.mark.parametrize(
    ("version", "more"), [("0.11.2", False), ("0.20.2", False), ("0.21.0", True), ("0.33.0", True)]
)
def test_flags_that_came_with_a_version_are_given_since_it(version: str, more: bool) -> None:
    args = Rendered(render_text(with_value(ONE_NODE, "vllmVersion", version))).container("leader")["args"]
    assert "--enable-server-load-tracking" in args
    assert ("--shutdown-timeout" in args, "--disable-access-log-for-endpoints" in args) == (more, more)


@pytest.mark.parametrize("role", ROLES)
def test_a_supervisor_knows_its_group(two_nodes: Rendered, role: str) -> None:
    assert two_nodes.container(role)["command"] == [
        *(
            "python3",
            "-E",
            "-S",
            "/scripts/vllm_eks/pods/supervise.py",
            "--index=$(LWS_WORKER_INDEX)",
            "--size=$(LWS_GROUP_SIZE)",
        ),
        *("--leader=$(LWS_LEADER_ADDRESS)", "--port=8000", "--start-seconds=2400", "--", "vllm", "serve"),
    ]
    assert "initContainers" not in two_nodes.template(role)["spec"]


def test_a_worker_is_headless_and_joins_the_leader(two_nodes: Rendered) -> None:
    assert two_nodes.container("worker")["args"] == [
        *("org/model", "--served-model-name", "scout", "--revision", "c0ffee"),
        *("--tensor-parallel-size", "8", "--pipeline-parallel-size", "2"),
        *("--nnodes", "$(LWS_GROUP_SIZE)", "--node-rank", "$(LWS_WORKER_INDEX)"),
        *("--master-addr", "$(LWS_LEADER_ADDRESS)", "--master-port", "29501", "--headless"),
    ]


@pytest.mark.parametrize("role", ROLES)
def test_the_ranks_meet_on_the_pod_network(two_nodes: Rendered, role: str) -> None:
    env = two_nodes.env(role)
    assert env["POD_IP"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert env["VLLM_HOST_IP"] == "$(POD_IP)"
    assert env["NCCL_SOCKET_IFNAME"] == env["GLOO_SOCKET_IFNAME"] == "eth0"
    # A variable can only refer to one that stands before it.
    assert list(env)[:2] == ["POD_IP", "VLLM_HOST_IP"]


@pytest.mark.parametrize(("budget", "lasts"), [(2400, 4860), (2401, 4870)])
def test_the_startup_probe_outlasts_the_supervisor(budget: int, lasts: int) -> None:
    """Who waits for its group as long as it may, and then starts as long as it may, is ended by the supervisor."""
    probe = Rendered(render_text(with_value(ONE_NODE, "startup.budgetSeconds", budget))).container("leader")[
        "startupProbe"
    ]
    assert probe["httpGet"] == {"path": "/health", "port": "http"}
    assert probe["failureThreshold"] * probe["periodSeconds"] == lasts


@pytest.mark.parametrize("role", ROLES)
def test_the_end_of_a_crashs_log_outlives_its_pod(two_nodes: Rendered, role: str) -> None:
    assert two_nodes.container(role)["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_workers_start_with_their_leader_which_is_ready_only_once_they_joined(two_nodes: Rendered) -> None:
    assert two_nodes.one("LeaderWorkerSet")["spec"]["startupPolicy"] == "LeaderCreated"


def test_leaders_are_probed_for_their_engine(two_nodes: Rendered) -> None:
    leader = two_nodes.container("leader")
    for probe, stall, timeout in (("readinessProbe", 60, 5), ("livenessProbe", 300, 15)):
        assert leader[probe]["exec"]["command"] == [
            *("python3", "-E", "-S", "/scripts/vllm_eks/pods/alive.py", "--port=8000", f"--stall-seconds={stall}"),
            *(f"--timeout-seconds={timeout}", "--model=scout"),
        ]
        # Four questions, each with its own time, and the kubelet must wait for all of them.
        assert leader[probe]["timeoutSeconds"] > 4 * timeout


def test_a_worker_is_ready_with_its_leader_and_never_restarted_by_a_probe(two_nodes: Rendered) -> None:
    """Else a disruption budget takes a group that loads for one that serves, and lets another one go."""
    worker = two_nodes.container("worker")
    assert worker["readinessProbe"] == {
        "exec": {
            "command": [
                *(
                    "python3",
                    "-E",
                    "-S",
                    "/scripts/vllm_eks/pods/alive.py",
                    "--host-from=LWS_LEADER_ADDRESS",
                    "--port=8000",
                ),
                "--timeout-seconds=5",
            ]
        },
        **{"periodSeconds": 10, "timeoutSeconds": 12, "failureThreshold": 3},
    }
    assert not {"startupProbe", "livenessProbe"} & set(worker)


# --- where it runs


@pytest.mark.parametrize("role", ROLES)
def test_zone_and_type_are_hard_and_the_own_node_group_is_preferred(two_nodes: Rendered, role: str) -> None:
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
    """Return where a pod compiles to."""
    values = ONE_NODE
    for path, value in changes.items():
        values = with_value(values, path, value)
    env = Rendered(render_text(values)).env("leader")
    compiled = [name for name in env if str(env[name]).startswith("$(CACHES_FOLDER)/")]
    assert compiled == [
        *("VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "FLASHINFER_WORKSPACE_BASE"),
        "CUDA_CACHE_PATH",
    ]
    # A variable can only refer to one that stands before it.
    names = list(env)
    assert names.index("POD_NAME") < names.index("CACHES_FOLDER") < names.index(compiled[0])
    return env["CACHES_FOLDER"]


def test_what_is_compiled_stays_on_the_node_for_the_same_image_and_pod_alone() -> None:
    """Two pods of a node never share a folder, nor do two versions: neither locks what it writes."""
    folder = caches_folder()
    assert re.fullmatch(r"/weights/\.compiled/\$\(POD_NAME\)/[0-9a-f]{12}", folder)
    others = [caches_folder(image="docker.io/own/vllm:1"), caches_folder(vllmVersion="0.26.0")]
    assert len({folder, *others}) == 3
    assert caches_folder(**{"weights.nodePath": None}).startswith("/home/vllm/.cache/compiled/$(POD_NAME)/")


def test_secrets_come_by_name_and_only_where_they_are_used(one_node: Rendered, two_nodes: Rendered) -> None:
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


# --- what stands beside the group


def test_the_service_selects_leaders_and_leaves_the_groups_own_name_alone(two_copies: Rendered) -> None:
    service = two_copies.one("Service")
    assert service["metadata"]["name"] == "scout-api"
    assert service["spec"]["type"] == "ClusterIP"
    assert service["spec"]["selector"] == {LWS_NAME: "scout", "leaderworkerset.sigs.k8s.io/worker-index": "0"}
    assert service["spec"]["ports"] == [{"name": "http", "port": 9000, "targetPort": "http"}]
    assert two_copies.container("leader")["ports"] == [{"name": "http", "containerPort": 9000}]
    assert two_copies.container("leader")["args"][5:7] == ["--port", "9000"]


def test_the_disruption_budget_lets_one_whole_group_go(one_node: Rendered, two_copies: Rendered) -> None:
    assert one_node.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert two_copies.one("PodDisruptionBudget")["spec"] == {
        "maxUnavailable": 2,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": {LWS_NAME: "scout"}},
    }
