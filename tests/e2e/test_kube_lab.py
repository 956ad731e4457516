"""The chart of both stacks on a real API server, scheduler and LeaderWorkerSet controller, with fake nodes.

Such a run proves: the API server and the admission webhooks accept every object, including Pod Security "restricted".
The scheduler finds room as planned. Groups, rollouts, the disruption budget and the Service's endpoints work.

It does not prove anything inside a pod, because there is no kubelet and no container. Images are not pulled, commands
are not run, probes are not sent, and volumes and Secrets are not mounted. A pod is Ready as soon as it has a node, and
the hook Job "succeeds" without running its script (test_wait_ready.py runs it). There are no GPUs, no NCCL, no EFA, no
network between pods, no node groups, no quotas and no prices.

The tests use the same two releases one by one, so they need the order of this file and a single process.
"""

import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.serving.helm_values import release_values
from tests.e2e.lab_cluster import Cluster
from tests.e2e.lab_model import NAME, SECRETS, hook_pod, namespace, pods, revisions, wait_for_groups
from tests.support.chart_rendering import Rendered, render_text, with_value
from tests.support.kube_schemas import SCHEMA_PATH, write_schemas
from tests.support.stack_config import load_stack_file
from vllm_eks.pods import PODS as SCRIPTS
from vllm_eks.stack_files.read import read_stack_file

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parent.parent.parent
STACKS = ("dev", "prod")
PODS = {"dev": 1, "prod": 2}
ZONES = {"dev": "us-west-2b", "prod": "us-west-2a"}
"""The lab has two GPU nodes in each zone. prod uses both of one, and dev has the others to itself."""


def stack_values(stack: str) -> dict[str, Any]:
    """Return the program's values for the chart, from the stack's own file. Only the zone is the lab's."""
    settings = load_stack_file(read_stack_file(ROOT, stack).for_offline_preview()).settings
    model = settings.models[NAME]
    plan = model.plan(region="us-east-1")
    names = {"apiKey": "vllm-api-key", "huggingFaceToken": "vllm-hugging-face-token"}
    values = {**release_values(model.gpu_nodes(plan), model.serving_spec(NAME, settings.images)), "secrets": names}
    return with_value(values, "placement.zones", [ZONES[stack]])


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[dict[str, dict[str, Any]]]:
    """Both stacks, installed together, with the values of each. They leave their nodes to the next file."""
    values = {stack: stack_values(stack) for stack in STACKS}
    for stack in STACKS:
        cluster.make_namespace(namespace(stack), SECRETS)
        cluster.helm("install", NAME, namespace(stack), values[stack])
    for stack in STACKS:
        wait_for_groups(cluster, stack, values[stack])
    yield values
    for stack in STACKS:
        cluster.run("helm", "uninstall", NAME, f"--namespace={namespace(stack)}", "--ignore-not-found")


@pytest.mark.parametrize("stack", STACKS)
def test_every_object_keeps_to_the_api_servers_own_schemas(cluster: Cluster, stack: str, tmp_path: Path) -> None:
    text = render_text(stack_values(stack), release=NAME, namespace=namespace(stack))
    kinds = {found["kind"] for found in Rendered(text).objects}
    write_schemas(json.loads(cluster.kubectl("get", "--raw", "/openapi/v2")), tmp_path, kinds)
    said = cluster.run(
        "kubeconform", "-strict", "-summary", "-output=json", f"-schema-location={tmp_path}/{SCHEMA_PATH}", stdin=text
    )
    summary = json.loads(said)["summary"]
    assert summary == {"valid": len(Rendered(text).objects), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("stack", STACKS)
def test_a_group_runs_on_its_own_g5_nodes_of_one_zone(
    cluster: Cluster, installed: dict[str, dict[str, Any]], stack: str
) -> None:
    found = pods(cluster, stack)
    nodes = {node["metadata"]["name"]: node["metadata"]["labels"] for node in cluster.get("nodes")}
    homes = [nodes[pod["spec"]["nodeName"]] for pod in found]
    assert len({home["kubernetes.io/hostname"] for home in homes}) == len(found) == PODS[stack]
    assert {home["node.kubernetes.io/instance-type"] for home in homes} == {"g5.48xlarge"}
    assert {home["topology.kubernetes.io/zone"] for home in homes} == {ZONES[stack]}
    asked = [pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] for pod in found]
    assert asked == ["8"] * PODS[stack]


def test_the_controller_gives_the_ranks_what_their_arguments_refer_to(
    cluster: Cluster, installed: dict[str, dict[str, Any]]
) -> None:
    ranks = {}
    for pod in pods(cluster, "prod"):
        env = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
        ranks[env["LWS_WORKER_INDEX"]] = (env["LWS_GROUP_SIZE"], env["LWS_LEADER_ADDRESS"])
    leader = f"{NAME}-0.{NAME}.{namespace('prod')}"
    assert ranks == {"0": ("2", leader), "1": ("2", leader)}


@pytest.mark.parametrize("stack", STACKS)
def test_one_complete_group_may_be_drained(cluster: Cluster, installed: dict[str, dict[str, Any]], stack: str) -> None:
    def status() -> dict[str, Any]:
        return cluster.get("poddisruptionbudget", NAME, f"--namespace={namespace(stack)}")["status"]

    expected = {"currentHealthy": PODS[stack], "disruptionsAllowed": PODS[stack]}
    cluster.wait_until(f"{stack}: the budget allows the whole group", lambda: expected.items() <= status().items())


@pytest.mark.parametrize("stack", STACKS)
def test_the_service_leads_to_leaders_alone(cluster: Cluster, installed: dict[str, dict[str, Any]], stack: str) -> None:
    selector = f"--selector=kubernetes.io/service-name={NAME}-api"

    def targets() -> list[str]:
        slices = cluster.get("endpointslices", f"--namespace={namespace(stack)}", selector)
        endpoints = [endpoint for found in slices for endpoint in found.get("endpoints") or []]
        return [endpoint["targetRef"]["name"] for endpoint in endpoints if endpoint["conditions"]["ready"]]

    cluster.wait_until(f"{stack}: the Service has an endpoint", lambda: bool(targets()))
    assert targets() == [f"{NAME}-0"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_hook_job_is_placed_on_a_node_without_gpus(
    cluster: Cluster, installed: dict[str, dict[str, Any]], stack: str
) -> None:
    pod = hook_pod(cluster, stack)
    assert "nvidia.com/gpu" not in cluster.get("node", pod["spec"]["nodeName"])["status"]["allocatable"]


def test_the_hook_jobs_account_may_read_everything_that_its_script_reads(
    cluster: Cluster, installed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Run the script here, with the Job's ServiceAccount, for one copy too many, because a fake leader cannot
    answer."""
    (config,) = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "--output=json"))["clusters"]
    token = cluster.kubectl("create", "token", f"{NAME}-ready", f"--namespace={namespace('dev')}")
    (tmp_path / "token").write_text(token)
    (tmp_path / "ca.crt").write_bytes(b64decode(config["cluster"]["certificate-authority-data"]))
    (tmp_path / "apiKey").write_text("e2e")
    (job,) = cluster.get("jobs", f"--namespace={namespace('dev')}")
    as_in_the_job = job["spec"]["template"]["spec"]["containers"][0]["args"]
    done = subprocess.run(
        [
            *(sys.executable, str(SCRIPTS / "wait_ready.py"), *as_in_the_job),
            *("--replicas=2", "--timeout-seconds=1"),
            *(f"--kubernetes-url={config['cluster']['server']}", f"--credentials={tmp_path}"),
            f"--api-key-file={tmp_path / 'apiKey'}",
        ],
        capture_output=True,
        text=True,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout.splitlines()[-1] == (
        "FAILED: not ready after 1 s: groups ready 1/2, with this revision 1. "
        f"For details run: kubectl -n {namespace('dev')} get leaderworkersets,pods,events"
    )


def test_more_copies_leave_the_first_one_running_and_only_one_of_them_may_be_drained(
    cluster: Cluster, installed: dict[str, dict[str, Any]]
) -> None:
    (before,) = wait_for_groups(cluster, "dev", installed["dev"])
    two_copies = {**installed["dev"], "replicas": 2}
    cluster.helm("upgrade", NAME, namespace("dev"), two_copies)
    after = wait_for_groups(cluster, "dev", two_copies)
    assert revisions([before]) == revisions(after)
    assert before["metadata"]["uid"] in {pod["metadata"]["uid"] for pod in after}

    def budget() -> dict[str, Any]:
        return cluster.get("poddisruptionbudget", NAME, f"--namespace={namespace('dev')}")["status"]

    # Its controller may count the pods before it reads the changed budget.
    expected = {"currentHealthy": 2, "disruptionsAllowed": 1}
    cluster.wait_until("the budget allows one of both copies", lambda: expected.items() <= budget().items())


def test_other_arguments_replace_every_pod_of_the_group(cluster: Cluster, installed: dict[str, dict[str, Any]]) -> None:
    before = wait_for_groups(cluster, "prod", installed["prod"])
    changed = {**installed["prod"], "vllmArgs": [*installed["prod"]["vllmArgs"], "--enable-prefix-caching"]}
    cluster.helm("upgrade", NAME, namespace("prod"), changed)
    after = wait_for_groups(cluster, "prod", changed)
    assert revisions(before).isdisjoint(revisions(after))
    assert not {pod["metadata"]["uid"] for pod in before} & {pod["metadata"]["uid"] for pod in after}


def test_a_recheck_alone_asks_again_and_restarts_nothing(
    cluster: Cluster, installed: dict[str, dict[str, Any]]
) -> None:
    before = pods(cluster, "dev")
    asked_before = hook_pod(cluster, "dev")
    values = {**installed["dev"], "replicas": len(before), "recheck": {"nodes": "others"}}
    cluster.helm("upgrade", NAME, namespace("dev"), values)
    after = wait_for_groups(cluster, "dev", values)
    assert {pod["metadata"]["uid"] for pod in before} == {pod["metadata"]["uid"] for pod in after}
    asked_after = hook_pod(cluster, "dev")
    assert asked_before["metadata"]["uid"] != asked_after["metadata"]["uid"]


@pytest.mark.parametrize("stack", STACKS)
def test_uninstalling_leaves_kept_resources_and_secrets_of_others(
    cluster: Cluster, installed: dict[str, dict[str, Any]], stack: str
) -> None:
    cluster.run("helm", "uninstall", NAME, f"--namespace={namespace(stack)}")
    listed = "leaderworkerset,statefulset,service,pdb,configmap,serviceaccount,role,rolebinding,secret,job,pod"
    by_kubernetes = {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}

    def left() -> set[str]:
        found = cluster.get(listed, f"--namespace={namespace(stack)}")
        # The last hook Job and its pod remain after Helm, so that their logs can be read.
        names = {f"{item['kind']}/{item['metadata']['name']}" for item in found if not owned_by(item, f"{NAME}-ready")}
        return names - by_kubernetes - {f"Job/{NAME}-ready"}

    cluster.wait_until(f"{stack}: only Secrets are left", lambda: left() == {f"Secret/{name}" for name in SECRETS})


def owned_by(item: dict[str, Any], name: str) -> bool:
    return any(owner["name"] == name for owner in item["metadata"].get("ownerReferences", []))
