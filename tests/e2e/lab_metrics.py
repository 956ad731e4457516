"""What Prometheus asks a cluster, answered from the lab's real objects.

Fake pods have no network, and the lab runs no kube-state-metrics. So the discovery of pods, their network (a proxy that
answers as each pod would) and kube-state-metrics are replaced.
"""

import base64
import json
import ssl
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from components.observability.names import METRICS_PORT
from tests.e2e.lab_cluster import Cluster
from tests.support.exporter_doubles import Doubles
from tests.support.pod_discovery import target_groups

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
DISCOVERY, STATE = "/discovery", "/state"
"""The paths of pods as targets, and of kube-state-metrics."""


class LabApi:
    """Reads of the API server, several a second."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json"))
        server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server = server["server"]
        self._context = ssl.create_default_context(cadata=_decoded(server["certificate-authority-data"]))
        pair = folder / "client.pem"
        pair.write_text(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
        self._context.load_cert_chain(pair)
        https = urllib.request.HTTPSHandler(context=self._context)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)

    def items(self, path: str) -> Sequence[Mapping[str, Any]]:
        """Return the objects of a list, such as `/api/v1/pods`."""
        with self._opener.open(f"{self._server}{path}", timeout=10) as answer:
            return json.load(answer)["items"]


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


@dataclass(kw_only=True)
class LabMetrics:
    """Answers Prometheus's requests from objects that it reads all the time, because a scrape waits half a second."""

    api: LabApi
    namespaces: Sequence[str]
    """Of the models."""
    doubles: Mapping[str, Doubles]
    """The double of vLLM that answers for all leaders of a namespace."""
    pods: Sequence[Mapping[str, Any]] = ()
    sets: Sequence[Mapping[str, Any]] = ()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Read the objects again and again."""
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(0.3):
                self.pods = self.api.items("/api/v1/pods")
                self.sets = self.api.items("/apis/apps/v1/statefulsets")

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        yield
        ended.set()
        thread.join(timeout=30)

    def answer(self, target: str) -> str | None:
        """Return the text for a path here, or for the URL of a pod, and None if nothing answers there."""
        url = urlsplit(target)
        if url.netloc:
            return self._of_pod(url.hostname, url.port) if url.path == "/metrics" else None
        if url.path == DISCOVERY:
            asked = parse_qs(url.query)["namespace"]
            return json.dumps([group for pod in self._pods_in(asked) for group in target_groups(pod)])
        return self._state() if url.path == STATE else None

    def _pods_in(self, namespaces: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        return [pod for pod in self.pods if pod["metadata"]["namespace"] in namespaces]

    def _of_pod(self, address: str | None, port: int | None) -> str | None:
        for pod in self._pods_in(self.namespaces):
            if pod["status"].get("podIP") == address and port == _metrics_port(pod):
                return self.doubles[pod["metadata"]["namespace"]].text()
        return None

    def _state(self) -> str:
        lines = [line for pod in self.pods for line in _pod_state(pod)]
        for one in self.sets:
            of = f'namespace="{one["metadata"]["namespace"]}",statefulset="{one["metadata"]["name"]}"'
            lines.append(f"kube_statefulset_replicas{{{of}}} {one['spec']['replicas']}")
        return "\n".join([*lines, ""])


def _metrics_port(pod: Mapping[str, Any]) -> int | None:
    named = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
    return next((port["containerPort"] for port in named if port.get("name") == METRICS_PORT), None)


def _pod_state(pod: Mapping[str, Any]) -> Iterator[str]:
    """Yield the series of kube-state-metrics 2.20.0 that the stack's rules read."""
    metadata, status = pod["metadata"], pod["status"]
    of = f'namespace="{metadata["namespace"]}",pod="{metadata["name"]}",uid="{metadata["uid"]}"'
    yield f"kube_pod_created{{{of}}} {_seconds(metadata['creationTimestamp'])}"
    if "deletionTimestamp" in metadata:
        yield f"kube_pod_deletion_timestamp{{{of}}} {_seconds(metadata['deletionTimestamp'])}"
    for owner in metadata.get("ownerReferences", []):
        yield f'kube_pod_owner{{{of},owner_kind="{owner["kind"]}",owner_name="{owner["name"]}"}} 1'
    for phase in PHASES:
        yield f'kube_pod_status_phase{{{of},phase="{phase}"}} {int(status["phase"] == phase)}'
    ready = {one["type"]: one["status"] for one in status.get("conditions", [])}.get("Ready", "Unknown")
    for condition in ("True", "False", "Unknown"):
        yield f'kube_pod_status_ready{{{of},condition="{condition.lower()}"}} {int(ready == condition)}'


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
