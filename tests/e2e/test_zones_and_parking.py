"""Two replicas with two nodes each in two zones, on a real scheduler, with two GPU nodes per zone and no spare one.

As in test_kube_lab.py, nothing inside a pod is real. It needs all four GPU nodes of the lab, so it runs after that file
has removed its own releases.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.lab_cluster import Cluster
from tests.e2e.lab_model import NAME, SECRETS, namespace, pods, wait_for_groups
from tests.support.chart_rendering import model_values, with_value

pytestmark = pytest.mark.e2e

STACK = "zones"
ZONES = ["us-west-2a", "us-west-2b"]
GROUP = "leaderworkerset.sigs.k8s.io/group-index"
NAMES = {"apiKey": "vllm-api-key", "huggingFaceToken": None}
IN_TWO_ZONES = {
    **with_value(model_values(tensor=8, pipeline=2, replicas=2), "placement.zones", ZONES),
    "secrets": NAMES,
}


def zones_by_group(cluster: Cluster) -> dict[str, set[str]]:
    """Return the zones of each group's pods."""
    nodes = {node["metadata"]["name"]: node["metadata"]["labels"] for node in cluster.get("nodes")}
    found: dict[str, set[str]] = defaultdict(set)
    for pod in pods(cluster, STACK):
        home = nodes[pod["spec"]["nodeName"]]
        found[pod["metadata"]["labels"][GROUP]].add(home["topology.kubernetes.io/zone"])
    return found


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[dict[str, Any]]:
    cluster.make_namespace(namespace(STACK), SECRETS)
    cluster.helm("install", NAME, namespace(STACK), IN_TWO_ZONES)
    wait_for_groups(cluster, STACK, IN_TWO_ZONES)
    yield IN_TWO_ZONES
    cluster.run("helm", "uninstall", NAME, f"--namespace={namespace(STACK)}", "--ignore-not-found")


def test_each_zone_holds_one_complete_group(cluster: Cluster, installed: dict[str, Any]) -> None:
    found = zones_by_group(cluster)
    assert all(len(zones) == 1 for zones in found.values()), found
    assert sorted(zone for zones in found.values() for zone in zones) == ZONES


def test_a_rolling_update_without_a_spare_node_keeps_it_so(cluster: Cluster, installed: dict[str, Any]) -> None:
    changed = {**installed, "vllmArgs": [*installed["vllmArgs"], "--enable-prefix-caching"]}
    cluster.helm("upgrade", NAME, namespace(STACK), changed)
    wait_for_groups(cluster, STACK, changed)
    found = zones_by_group(cluster)
    assert sorted(zone for zones in found.values() for zone in zones) == ZONES


def test_a_parked_model_has_no_pod_and_comes_back_to_both_zones(cluster: Cluster, installed: dict[str, Any]) -> None:
    cluster.helm("upgrade", NAME, namespace(STACK), {**installed, "replicas": 0})
    cluster.wait_until("no pod is left", lambda: pods(cluster, STACK) == [])
    assert cluster.get("leaderworkerset", NAME, f"--namespace={namespace(STACK)}")["spec"]["replicas"] == 0
    cluster.helm("upgrade", NAME, namespace(STACK), installed)
    wait_for_groups(cluster, STACK, installed)
    assert sorted(zone for zones in zones_by_group(cluster).values() for zone in zones) == ZONES
