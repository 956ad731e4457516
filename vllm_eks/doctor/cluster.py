"""Reads the state of a stack's models from the Kubernetes API."""

import time
from collections.abc import Mapping, Sequence

from vllm_eks.doctor.api import KubernetesApi, UnreadableAnswerError
from vllm_eks.doctor.facts import EngineLooks, Object, ServedModel
from vllm_eks.pods.crashes import crash_text, is_restarted
from vllm_eks.pods.engine import EngineState, state_of
from vllm_eks.pods.rollout import is_ready

LWS_LABEL = "leaderworkerset.sigs.k8s.io/name"
INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
MODEL_LABEL = "vllm-eks/model"
PENDING = "owner=helm,status in (pending-install,pending-upgrade,pending-rollback)"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Returns metadata only, without the content of Secrets."""


def read_nodes(cluster: KubernetesApi, names: Sequence[str]) -> list[Object]:
    """Return the GPU nodes of the models. Raises UnreadableAnswerError."""
    return [node for node in cluster.items("/api/v1/nodes") if _model_of(node) in names]


def _model_of(node: Object) -> str | None:
    labels: Mapping[str, str] = node["metadata"].get("labels") or {}
    return labels.get(MODEL_LABEL)


def read_model(cluster: KubernetesApi, name: str, *, port: int, seconds: float) -> ServedModel:
    """Read the state of one model. Raises UnreadableAnswerError when the API does not answer."""
    namespace = f"vllm-{name}"
    core = f"/api/v1/namespaces/{namespace}"
    group = _group(cluster, namespace, name)
    pods = cluster.items(f"{core}/pods", labelSelector=f"{LWS_LABEL}={name}")
    jobs = [job for space in (namespace, f"{namespace}-weights") for job in _jobs(cluster, space)]
    job_pods = {job["metadata"]["name"]: _job_pods(cluster, job) for job in jobs}
    bad = [pod for pod in pods if not is_ready(pod) or crash_text(pod, "")]
    leaders = [pod for pod in pods if is_ready(pod) and pod["metadata"]["labels"].get(INDEX_LABEL) == "0"]
    return ServedModel(
        name=name,
        namespace=namespace,
        group=group,
        pods=pods,
        events=cluster.items(f"{core}/events"),
        jobs=jobs,
        logs={pod["metadata"]["name"]: _log(cluster, pod) for pod in bad},
        job_pods=job_pods,
        job_logs={name: "".join(_log(cluster, pod) for pod in pods) for name, pods in job_pods.items()},
        releases=_releases(cluster, namespace),
        engines=_engines(cluster, core, leaders, port=port, seconds=seconds),
    )


def _group(cluster: KubernetesApi, namespace: str, name: str) -> Object | None:
    path = f"/apis/leaderworkerset.x-k8s.io/v1/namespaces/{namespace}/leaderworkersets/{name}"
    try:
        return cluster.object(path)
    except UnreadableAnswerError as error:
        if error.status == 404:
            return None
        raise


def _jobs(cluster: KubernetesApi, namespace: str) -> list[Object]:
    return cluster.items(f"/apis/batch/v1/namespaces/{namespace}/jobs")


def _releases(cluster: KubernetesApi, namespace: str) -> list[Object]:
    try:
        return cluster.items(f"/api/v1/namespaces/{namespace}/secrets", METADATA, labelSelector=PENDING)
    except UnreadableAnswerError:
        return []  # without permission to list Secrets, interrupted releases are not reported


def _log(cluster: KubernetesApi, pod: Object) -> str:
    meta = pod["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log"
    try:
        if is_restarted(pod):
            return cluster.text(path, tailLines=400, previous=True)
        return cluster.text(path, tailLines=400)
    except UnreadableAnswerError:
        return ""  # no container has run yet


def _job_pods(cluster: KubernetesApi, job: Object) -> list[Object]:
    """Return the newest pod of a Job, if it has one."""
    meta = job["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods"
    try:
        pods = cluster.items(path, labelSelector=f"batch.kubernetes.io/job-name={meta['name']}")
    except UnreadableAnswerError:
        return []
    return sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""))[-1:]


def _engines(
    cluster: KubernetesApi, core: str, leaders: list[Object], *, port: int, seconds: float
) -> Mapping[str, EngineLooks]:
    """Read the state of each leader's engine twice, through the API server."""
    first = {pod["metadata"]["name"]: _engine(cluster, core, pod, port) for pod in leaders}
    if any(state.running for state in first.values()):
        time.sleep(seconds)
    return {
        name: EngineLooks(before=first[name], after=_engine(cluster, core, pod, port), seconds=seconds)
        for pod in leaders
        if (name := pod["metadata"]["name"])
    }


def _engine(cluster: KubernetesApi, core: str, pod: Object, port: int) -> EngineState:
    path = f"{core}/pods/{pod['metadata']['name']}"
    try:
        cluster.text(f"{path}:{port}/proxy/health")
        return state_of(cluster.text(f"{path}:{_metrics_port(pod, port)}/proxy/metrics"))
    except UnreadableAnswerError as error:
        if error.status == 503:
            return EngineState(trouble="/health says 503: the engine is dead", dead=True)
        return EngineState(trouble=str(error))


def _metrics_port(pod: Object, port: int) -> int:
    """Return the port of a leader's metrics. Pods of earlier versions serve them without a key on the API's port."""
    ports = [one for container in pod["spec"]["containers"] for one in container.get("ports") or ()]
    return next((one["containerPort"] for one in ports if one.get("name") == "metrics"), port)
