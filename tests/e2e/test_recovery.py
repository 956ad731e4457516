"""Recovery of a lost worker, leader or node. Replicas without room wait and do not affect others.

On a real API server, scheduler and LeaderWorkerSet controller. The printed seconds are only theirs: kubelets,
containers, probes and Jobs are not real here, so no image is pulled, nothing is drained, no weights are loaded, and no
engine is detected as stuck (tests/unit/pods/test_engine_health.py runs the probe and the hooks themselves).
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.lab_cluster import WAIT_SECONDS, Cluster, bring_back
from tests.e2e.lab_model import NAME, SECRETS, namespace, pods, wait_for_groups
from tests.support.chart_rendering import model_values, with_value

pytestmark = pytest.mark.e2e

STACK = "recovery"
GROUP, INDEX = "leaderworkerset.sigs.k8s.io/group-index", "leaderworkerset.sigs.k8s.io/worker-index"
NAMES = {"apiKey": "vllm-api-key", "huggingFaceToken": None}
TWO_NODES = {**model_values(tensor=8, pipeline=2), "secrets": NAMES}
ZONE = "topology.kubernetes.io/zone"


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[dict[str, Any]]:
    cluster.make_namespace(namespace(STACK), SECRETS)
    cluster.helm("install", NAME, namespace(STACK), TWO_NODES)
    wait_for_groups(cluster, STACK, TWO_NODES)
    yield TWO_NODES
    cluster.run("helm", "uninstall", NAME, f"--namespace={namespace(STACK)}", "--ignore-not-found")


def uids(found: list[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in found}


def whole_groups(found: list[dict[str, Any]], size: int = 2) -> dict[str, list[dict[str, Any]]]:
    """Return the pods of each complete group."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for pod in found:
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]:
            groups[pod["metadata"]["labels"][GROUP]].append(pod)
    return {index: members for index, members in groups.items() if len(members) == size}


def zones_of(cluster: Cluster, found: list[dict[str, Any]]) -> set[str]:
    nodes = {node["metadata"]["name"]: node["metadata"]["labels"] for node in cluster.get("nodes")}
    return {nodes[pod["spec"]["nodeName"]][ZONE] for pod in found}


def wait_for_a_new_whole_group(cluster: Cluster, before: set[str], what: str) -> None:
    """Wait until no old pod is left and a group is complete, in one zone. Print how long that took."""

    group: list[dict[str, Any]] = []

    def is_new_and_whole() -> bool:
        group[:] = pods(cluster, STACK)
        return len(group) == 2 and len(whole_groups(group)) == 1 and not uids(group) & before

    took = cluster.wait_until(f"the group is whole again after {what}", is_new_and_whole)
    print(f"{what}: the group was whole again after {took:.1f} s")
    assert zones_of(cluster, group) == {"us-west-2a"}


@pytest.mark.parametrize("index", ["1", "0"], ids=["worker", "leader"])
def test_a_lost_member_restarts_the_whole_group(cluster: Cluster, installed: dict[str, Any], index: str) -> None:
    before = pods(cluster, STACK)
    (lost,) = [pod for pod in before if pod["metadata"]["labels"][INDEX] == index]
    cluster.kubectl("delete", "pod", lost["metadata"]["name"], f"--namespace={namespace(STACK)}", "--wait=false")
    wait_for_a_new_whole_group(cluster, uids(before), "the leader is killed" if index == "0" else "a worker is killed")


def test_a_lost_node_restarts_the_whole_group_once_there_is_another(
    cluster: Cluster, installed: dict[str, Any]
) -> None:
    before = pods(cluster, STACK)
    leader, worker = sorted(before, key=lambda pod: pod["metadata"]["labels"][INDEX])
    node = cluster.get("node", worker["spec"]["nodeName"])
    cluster.kubectl("delete", "node", node["metadata"]["name"])
    try:
        took = cluster.wait_until("the worker is gone", lambda: not uids(pods(cluster, STACK)) & uids([worker]))
        print(f"a node is terminated: its pod was gone after {took:.1f} s")
        report_the_restart_of(cluster, leader)
    finally:
        bring_back(cluster, node)
    wait_for_a_new_whole_group(cluster, uids(before), "a node is terminated, and another comes")


def report_the_restart_of(cluster: Cluster, leader: dict[str, Any]) -> None:
    """Report what a kubelet reports when the leader's supervisor has ended: its container has restarted.

    There is no kubelet here. The pod garbage collector deletes the pods of a lost node by force, and where the
    controller never sees one with a deletion time, only the worker is created again. On real nodes the leader's
    supervisor ends when it loses its worker, and that restart is what recreates the group. Where the controller has
    already replaced this leader, its uid makes the patch fail.
    """
    restarted = [{**one, "restartCount": one["restartCount"] + 1} for one in leader["status"]["containerStatuses"]]
    patch = {"metadata": {"uid": leader["metadata"]["uid"]}, "status": {"containerStatuses": restarted}}
    where = (leader["metadata"]["name"], f"--namespace={namespace(STACK)}", "--subresource=status", "--type=merge")
    try:
        cluster.kubectl("patch", "pod", *where, f"--patch={json.dumps(patch)}")
    except AssertionError as error:
        if "NotFound" not in str(error) and "metadata.uid" not in str(error):
            raise


def test_a_rolling_update_needs_no_spare_node(cluster: Cluster, installed: dict[str, Any]) -> None:
    before = uids(pods(cluster, STACK))
    changed = {**installed, "vllmArgs": [*installed["vllmArgs"], "--enable-prefix-caching"]}
    cluster.helm("upgrade", NAME, namespace(STACK), changed)
    after = wait_for_groups(cluster, STACK, changed)
    assert not uids(after) & before
    assert zones_of(cluster, after) == {"us-west-2a"}
    cluster.helm("upgrade", NAME, namespace(STACK), installed)
    wait_for_groups(cluster, STACK, installed)


def test_two_replicas_with_room_for_one_and_a_half_serve_with_one(cluster: Cluster, installed: dict[str, Any]) -> None:
    other = [node["metadata"]["name"] for node in cluster.get("nodes", f"--selector={ZONE}=us-west-2b")]
    guests = sorted(name for name in other if "nvidia.com/gpu" in cluster.get("node", name)["status"]["capacity"])
    try:
        cluster.kubectl("label", "node", guests[0], f"{ZONE}=us-west-2a", "--overwrite")
        cluster.helm("upgrade", NAME, namespace(STACK), {**installed, "replicas": 2})
        found: list[dict[str, Any]] = []

        def three_run() -> bool:
            found[:] = pods(cluster, STACK)
            phases = sorted(pod["status"]["phase"] for pod in found)
            return len(whole_groups(found)) == 1 and phases == ["Pending", *["Running"] * 3]

        cluster.wait_until("three of four pods run, and two of them are a whole group", three_run)
        first = {index: uids(members) for index, members in whole_groups(found).items()}
        cluster.kubectl("label", "node", guests[1], f"{ZONE}=us-west-2a", "--overwrite")
        took = cluster.wait_until("both groups are whole", lambda: len(whole_groups(pods(cluster, STACK))) == 2)
        print(f"room for the other half: both groups were whole after {took:.1f} s")
        both = whole_groups(pods(cluster, STACK))
        assert all(uids(both[index]) == members for index, members in first.items()), "the first one stayed"
    finally:
        cluster.helm("upgrade", NAME, namespace(STACK), installed)
        wait_for_groups(cluster, STACK, installed)
        for guest in guests:
            cluster.kubectl("label", "node", guest, f"{ZONE}=us-west-2b", "--overwrite")


def test_replicas_go_up_down_to_none_and_back(cluster: Cluster, installed: dict[str, Any]) -> None:
    small = {**model_values(tensor=4, pipeline=1), "secrets": NAMES}
    small = with_value(with_value(small, "resources.cpu", "60000m"), "resources.memory", "200Gi")
    first: set[str] = set()
    for replicas in (1, 3, 0, 1):
        wanted = {**small, "replicas": replicas}
        cluster.helm("upgrade", NAME, namespace(STACK), wanted)
        if not replicas:
            cluster.wait_until("no pod is left", lambda: pods(cluster, STACK) == [])
            continue
        found = uids(wait_for_groups(cluster, STACK, wanted))
        assert len(found) == replicas
        assert replicas != 3 or first < found, "the first one serves on beside the others"
        first = found
    cluster.helm("upgrade", NAME, namespace(STACK), installed)
    wait_for_groups(cluster, STACK, installed)


def test_every_pod_has_its_nodes_own_folder_through_one_claim(cluster: Cluster, installed: dict[str, Any]) -> None:
    (claim,) = cluster.get("persistentvolumeclaims", f"--namespace={namespace(STACK)}")
    assert claim["status"]["phase"] == "Bound"
    volume = cluster.get("persistentvolume", claim["spec"]["volumeName"])
    assert volume["spec"]["local"]["path"] == "/mnt/k8s-disks/0/vllm-eks-weights"
    found = pods(cluster, STACK)
    assert len({pod["spec"]["nodeName"] for pod in found}) == 2
    names = [
        v["persistentVolumeClaim"]["claimName"] for p in found for v in p["spec"]["volumes"] if v["name"] == "weights"
    ]
    assert names == [claim["metadata"]["name"]] * 2


def test_uninstalling_leaves_nothing_and_hangs_on_no_finalizer(cluster: Cluster, installed: dict[str, Any]) -> None:
    cluster.run("helm", "uninstall", NAME, f"--namespace={namespace(STACK)}")

    def left() -> list[str]:
        kinds = "leaderworkersets,statefulsets,pods,services,persistentvolumeclaims,jobs,poddisruptionbudgets,roles"
        inside = cluster.get(kinds, f"--namespace={namespace(STACK)}")
        # The hook Job remains until the next run, and is deleted with the namespace.
        names = [f"{one['kind']}/{one['metadata']['name']}" for one in inside if "ready" not in one["metadata"]["name"]]
        volumes = cluster.get("persistentvolumes")
        return names + [one["metadata"]["name"] for one in volumes if namespace(STACK) in one["metadata"]["name"]]

    took = cluster.wait_until("nothing is left of the release", lambda: left() == [])
    print(f"uninstalled: nothing was left after {took:.1f} s")
    cluster.kubectl("delete", "namespace", namespace(STACK), "--wait", f"--timeout={WAIT_SECONDS}s")
