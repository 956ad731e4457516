"""One model of the chart in the lab's cluster: its namespace, its pods, and its readiness."""

from typing import Any

from tests.e2e.lab_cluster import Cluster
from tests.support.chart_rendering import Rendered, render_text

NAME = "llama-4-scout"
LWS_NAME = f"leaderworkerset.sigs.k8s.io/name={NAME}"
SECRETS = {"vllm-api-key": {"apiKey": "e2e"}, "vllm-hugging-face-token": {"token": "e2e"}}


def namespace(stack: str) -> str:
    return f"vllm-e2e-{stack}"


def pods(cluster: Cluster, stack: str, selector: str = LWS_NAME) -> list[dict[str, Any]]:
    return cluster.get("pods", f"--namespace={namespace(stack)}", f"--selector={selector}")


def revisions(found: list[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["labels"]["vllm-eks/revision"] for pod in found}


def wait_for_groups(cluster: Cluster, stack: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Wait until all groups run the revision of the values, and return their pods."""
    return wait_for_release(cluster, NAME, namespace(stack), values)


def wait_for_release(cluster: Cluster, name: str, namespace: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Wait until all groups of a release run the revision of its values, and return their pods."""
    revision = Rendered(render_text(values, release=name, namespace=namespace)).revision()
    wanted = values["replicas"] * values["pipelineParallelSize"]
    seen: list[dict[str, Any]] = []

    def all_run() -> bool:
        lws = cluster.get("leaderworkerset", name, f"--namespace={namespace}")
        conditions = {found["type"]: found["status"] for found in lws.get("status", {}).get("conditions", [])}
        selector = f"--selector=leaderworkerset.sigs.k8s.io/name={name}"
        seen[:] = found = cluster.get("pods", f"--namespace={namespace}", selector)
        is_current = lws.get("status", {}).get("observedGeneration") == lws["metadata"]["generation"]
        running = [pod for pod in found if pod["status"]["phase"] == "Running"]
        return (
            (is_current and conditions.get("Available") == "True")
            and (len(found) == len(running) == wanted)
            and revisions(found) == {revision}
        )

    cluster.wait_until(f"{namespace}: {wanted} pods of revision {revision} run", all_run)
    return seen


def hook_pod(cluster: Cluster, stack: str) -> dict[str, Any]:
    """Return the pod of the present hook Job, whose predecessor's pod may not be deleted yet."""
    job = cluster.get("job", f"{NAME}-ready", f"--namespace={namespace(stack)}")
    (pod,) = pods(cluster, stack, f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}")
    return pod
