"""The chart, rendered by the real helm: the group and its pods."""

import pytest

from tests.support.chart_rendering import IMAGE, Rendered, render_text, tool, with_value
from tests.support.chart_values import ONE_NODE, ROLES

pytestmark = pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")


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
def test_a_pod_requests_its_share_of_the_node(two_nodes: Rendered, role: str) -> None:
    assert two_nodes.container(role)["resources"] == {
        "requests": {"cpu": "153600m", "memory": "614Gi", "ephemeral-storage": "270Gi", "nvidia.com/gpu": "8"},
        "limits": {"memory": "614Gi", "nvidia.com/gpu": "8"},
    }


@pytest.mark.parametrize("role", ROLES)
def test_leader_and_workers_request_efa(two_copies: Rendered, role: str) -> None:
    resources = two_copies.container(role)["resources"]
    assert resources["requests"]["vpc.amazonaws.com/efa"] == "1"
    assert resources["limits"] == {"memory": "614Gi", "nvidia.com/gpu": "4", "vpc.amazonaws.com/efa": "1"}


@pytest.mark.parametrize("role", ROLES)
def test_all_pods_run_the_one_image(two_nodes: Rendered, role: str) -> None:
    assert two_nodes.container(role)["image"] == IMAGE


# --- how vLLM is started


LEADERS_OWN = (
    *("--middleware", "vllm_eks_keys.ApiKeys", "--disable-uvicorn-access-log"),
    *("--enable-server-load-tracking", "--shutdown-timeout", "15"),
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
        *("--metrics-port=8001", "--start-seconds=2400", "--", "vllm", "serve"),
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
def test_flags_are_passed_from_the_version_that_has_them(version: str, more: bool) -> None:
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
        *("--leader=$(LWS_LEADER_ADDRESS)", "--port=8000"),
        # Only the leader has metrics.
        *(["--metrics-port=8001"] if role == "leader" else []),
        *("--start-seconds=2400", "--", "vllm", "serve"),
    ]
    assert "initContainers" not in two_nodes.template(role)["spec"]


def test_a_worker_reads_the_leaders_requests_at_the_metrics_port(two_nodes: Rendered) -> None:
    def drain(role: str) -> list[str]:
        return two_nodes.container(role)["lifecycle"]["preStop"]["exec"]["command"][4:]

    assert drain("leader") == ["--host=localhost", "--port=8000"]
    assert drain("worker") == ["--host-from=LWS_LEADER_ADDRESS", "--port=8000", "--metrics-port=8001"]
    assert [one["name"] for one in two_nodes.container("leader")["ports"]] == ["http", "metrics"]
    assert "ports" not in two_nodes.container("worker")


def test_the_metrics_have_a_port_of_their_own() -> None:
    with pytest.raises(AssertionError, match="metricsPort and port are both 8001: use two ports"):
        render_text(with_value(ONE_NODE, "port", 8001))


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
    # A variable can only refer to an earlier one.
    assert list(env)[:2] == ["POD_IP", "VLLM_HOST_IP"]


@pytest.mark.parametrize(("budget", "lasts"), [(2400, 4860), (2401, 4870)])
def test_the_startup_probe_outlasts_the_supervisor(budget: int, lasts: int) -> None:
    """The supervisor, and not the probe, ends a pod that uses its whole time for the group and then for the start."""
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
        # Four requests, each with its own timeout, and the kubelet must wait for all of them.
        assert leader[probe]["timeoutSeconds"] > 4 * timeout


def test_a_worker_is_ready_with_its_leader_and_never_restarted_by_a_probe(two_nodes: Rendered) -> None:
    """Otherwise a disruption budget counts a loading group as serving, and allows the eviction of another one."""
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
