"""What the Kubernetes API says of a stack's models; it is only read. Loads the kubernetes client."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes
import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from cli.doctor.chart_files import EngineState, crash_of, is_ready, is_restarted, state_of
from cli.doctor.facts import EngineLooks, ModelFacts, Object

ANSWER_SECONDS = 15
"""A slow engine is not a dead one."""
LWS_LABEL = "leaderworkerset.sigs.k8s.io/name"
INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"


class NotToldError(Exception):
    """The API gave no answer; its text says why, and its status what it answered instead."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Cluster:
    """Asks one API server, as kubectl would."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        """Read the kubeconfig.

        Raises:
            NotToldError: There is none, or it names no such context.
        """
        try:
            self._api = kubernetes.config.new_client_from_config(
                config_file=str(kubeconfig) if kubeconfig else None, context=context
            )
        except (ConfigException, OSError) as error:
            raise NotToldError(
                f"no usable kubeconfig ({str(error).rstrip('.')}): pulumi stack output kubeconfig --show-secrets "
                "writes one; give it with --kubeconfig"
            ) from None

    def text(self, path: str, **query: str | int | bool) -> str:
        """Return what stands at a path. Raises NotToldError."""
        asked = self._api.param_serialize("GET", path, query_params=list(query.items()), auth_settings=["BearerToken"])
        try:
            answer = self._api.call_api(*asked, _request_timeout=ANSWER_SECONDS)
            body = answer.read()
        except (ApiException, urllib3.exceptions.HTTPError, OSError, ConfigException) as error:
            reason = getattr(error, "reason", None) or error
            raise NotToldError(f"no answer ({reason})") from None
        if answer.status != 200:
            raise NotToldError(f"HTTP {answer.status} {answer.reason}", answer.status)
        return body.decode(errors="replace")

    def object(self, path: str, **query: str | int | bool) -> Any:  # noqa: ANN401  (JSON)
        """Return the object at a path. Raises NotToldError."""
        return json.loads(self.text(path, **query))


def read_model(cluster: Cluster, name: str, *, port: int, seconds: float) -> ModelFacts:
    """Look at one model. Raises NotToldError where the API does not answer at all."""
    namespace = f"vllm-{name}"
    core = f"/api/v1/namespaces/{namespace}"
    group = _group(cluster, namespace, name)
    pods = cluster.object(f"{core}/pods", labelSelector=f"{LWS_LABEL}={name}")["items"]
    jobs = [job for space in (namespace, f"{namespace}-weights") for job in _jobs(cluster, space)]
    bad = [pod for pod in pods if not is_ready(pod) or crash_of(pod, "")]
    leaders = [pod for pod in pods if is_ready(pod) and pod["metadata"]["labels"].get(INDEX_LABEL) == "0"]
    return ModelFacts(
        name=name,
        namespace=namespace,
        group=group,
        pods=pods,
        events=cluster.object(f"{core}/events")["items"],
        jobs=jobs,
        logs={pod["metadata"]["name"]: _log(cluster, pod) for pod in bad},
        job_logs={job["metadata"]["name"]: _job_log(cluster, job) for job in jobs},
        engines=_engines(cluster, core, leaders, port=port, seconds=seconds),
    )


def _group(cluster: Cluster, namespace: str, name: str) -> Object | None:
    path = f"/apis/leaderworkerset.x-k8s.io/v1/namespaces/{namespace}/leaderworkersets/{name}"
    try:
        return cluster.object(path)
    except NotToldError as error:
        if error.status == 404:
            return None
        raise


def _jobs(cluster: Cluster, namespace: str) -> list[Object]:
    return cluster.object(f"/apis/batch/v1/namespaces/{namespace}/jobs")["items"]


def _log(cluster: Cluster, pod: Object) -> str:
    meta = pod["metadata"]
    query = {"tailLines": 400, "previous": True} if is_restarted(pod) else {"tailLines": 400}
    try:
        return cluster.text(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log", **query)
    except NotToldError:
        return ""  # no container has run yet


def _job_log(cluster: Cluster, job: Object) -> str:
    meta = job["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods"
    try:
        pods = cluster.object(path, labelSelector=f"batch.kubernetes.io/job-name={meta['name']}")["items"]
    except NotToldError:
        return ""
    newest = sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""))[-1:]
    return "".join(_log(cluster, pod) for pod in newest)


def _engines(
    cluster: Cluster, core: str, leaders: list[Object], *, port: int, seconds: float
) -> Mapping[str, EngineLooks]:
    """Look at each leader's engine twice, through the API server."""
    paths = {pod["metadata"]["name"]: f"{core}/pods/{pod['metadata']['name']}:{port}/proxy" for pod in leaders}
    first = {name: _engine(cluster, path) for name, path in paths.items()}
    if any(state.running for state in first.values()):
        time.sleep(seconds)
    return {
        name: EngineLooks(before=first[name], after=_engine(cluster, path), seconds=seconds)
        for name, path in paths.items()
    }


def _engine(cluster: Cluster, path: str) -> EngineState:
    try:
        cluster.text(f"{path}/health")
        return state_of(cluster.text(f"{path}/metrics"))
    except NotToldError as error:
        if error.status == 503:
            return EngineState(trouble="/health says 503: the engine is dead", dead=True)
        return EngineState(trouble=str(error))
