"""The objects of `vllm-eks bench` on a real API server: admission with Pod Security, and what remains after the end.

The nodes are fake, so the client does not run. The fake kubelet ends its pod at once, without a log.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.lab_cluster import Cluster
from tests.fakes.bench_cluster import group
from vllm_eks.bench.load import Load
from vllm_eks.bench.placement import place
from vllm_eks.bench.run import BenchmarkError, Run
from vllm_eks.bench.target import target_of
from vllm_eks.bench.writing_api import WritingApi

pytestmark = pytest.mark.e2e

NAME, NAMESPACE = "measured", "vllm-measured"
TARGET = target_of(group(NAME, instance_type="g5.48xlarge"), NAME, NAMESPACE)
LOAD = Load(requests_per_second=None, concurrent_users=2, input_tokens=10, output_tokens=10, requests=10, seed=1)


@pytest.fixture
def api(cluster: Cluster) -> Iterator[WritingApi]:
    """The lab's API server, with a namespace like a model's."""
    cluster.make_namespace(NAMESPACE, {TARGET.api_key_secret: {"apiKey": "key-one"}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}}
    cluster.kubectl("apply", "--filename=-", stdin=yaml.safe_dump(account))
    yield WritingApi(Path(cluster.environment["KUBECONFIG"]), None)
    cluster.delete_namespaces()


def remaining(cluster: Cluster) -> int:
    kinds = ("jobs", "networkpolicies", "pods")
    return sum(len(cluster.get(kind, f"--namespace={NAMESPACE}")) for kind in kinds)


def run(api: WritingApi) -> Run:
    placement = place(api.items("/api/v1/nodes"), instance_type=TARGET.instance_type, zones=TARGET.zones)
    return Run(cluster=api, target=TARGET, load=LOAD, placement=placement, say=print)


def test_the_cluster_admits_the_pod_and_keeps_nothing_after_its_end(cluster: Cluster, api: WritingApi) -> None:
    with pytest.raises(BenchmarkError, match="its log has no result"):
        run(api).result()
    cluster.wait_until("the policies and the pod end with their Job", lambda: remaining(cluster) == 0)


def test_an_interrupted_benchmark_leaves_nothing(
    cluster: Cluster, api: WritingApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Run) -> None:
        assert len(cluster.get("networkpolicies", f"--namespace={NAMESPACE}")) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "_wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(api).result()
    cluster.wait_until("the policies and the pod end with their Job", lambda: remaining(cluster) == 0)
