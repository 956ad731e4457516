"""A stub of the Kubernetes API for the doctor, with a proxy to a fake vLLM server."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

NAMESPACE = "/api/v1/namespaces/vllm-scout"


@dataclass
class Kubernetes:
    """The API server's objects of the model `scout`."""

    replicas: int = 1
    size: int = 1
    has_group: bool = True
    pods: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    job_pods: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    """The objects at other paths."""
    status: int = 200
    """The answer to every request, if set."""
    engine_port: int = 0
    guards_metrics: bool = True
    """Whether the API's port wants a key for /metrics."""
    proxied: list[tuple[str, str]] = field(default_factory=list)
    """Port and path of each request to a pod."""
    methods: set[str] = field(default_factory=set)
    port: int = 0

    def found(self, path: str, query: str) -> Any:
        """Return the object at a path, or None."""
        if path == "/apis/leaderworkerset.x-k8s.io/v1/namespaces/vllm-scout/leaderworkersets/scout":
            spec = {"replicas": self.replicas, "leaderWorkerTemplate": {"size": self.size}}
            return {"metadata": {"name": "scout"}, "spec": spec} if self.has_group else None
        if path == f"{NAMESPACE}/pods":
            return {"items": self.job_pods if "job-name" in query else self.pods}
        return {
            "/api/v1/nodes": {"items": self.nodes},
            f"{NAMESPACE}/secrets": {"items": self.releases},
            f"{NAMESPACE}/events": {"items": self.events},
            "/apis/batch/v1/namespaces/vllm-scout/jobs": {"items": self.jobs},
            "/apis/batch/v1/namespaces/vllm-scout-weights/jobs": {"items": []},
            **self.others,
        }.get(path)


class _Handler(BaseHTTPRequestHandler):
    world: Kubernetes

    def do_GET(self) -> None:
        world, asked = self.world, urlsplit(self.path)
        world.methods.add(self.command)
        if world.status != 200:
            self._say(world.status, b"{}")
        elif "/proxy/" in asked.path:
            to, _, path = asked.path.partition("/proxy")
            self._proxy(to.rpartition(":")[2], path)
        elif asked.path.endswith("/log"):
            name = asked.path.split("/")[-2]
            self._say(200 if name in world.logs else 400, world.logs.get(name, "").encode())
        else:
            found = world.found(asked.path, asked.query)
            self._say(404 if found is None else 200, json.dumps(found or {}).encode())

    def _proxy(self, port: str, path: str) -> None:
        self.world.proxied.append((port, path))
        if path == "/metrics" and port == "8000" and self.world.guards_metrics:
            self._say(401, b'{"error": "Unauthorized"}')
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.world.engine_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            self._say(answer.status, answer.read())
        except OSError:
            self._say(502, b"connection refused")
        finally:
            connection.close()

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep tests quiet."""


@contextmanager
def kubernetes_stub() -> Iterator[Kubernetes]:
    """Serve the API until the block ends."""
    world = Kubernetes()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"world": world})) as server:
        world.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()


def write_kubeconfig(path: Path, port: int) -> Path:
    """Write a kubeconfig of the stub."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "stub",
        "clusters": [{"name": "stub", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"token": "kube-token"}}],
        "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "me"}}],
    }
    path.write_text(json.dumps(config))
    return path


def pod(
    name: str = "scout-0",
    *,
    index: int = 0,
    ready: bool = True,
    state: dict[str, Any] | None = None,
    last_state: dict[str, Any] | None = None,
    unscheduled: str = "",
    ports: Mapping[str, int] = MappingProxyType({"http": 8000, "metrics": 8001}),
) -> dict[str, Any]:
    """Return a pod of group 0."""
    labels = {
        "leaderworkerset.sigs.k8s.io/name": "scout",
        "leaderworkerset.sigs.k8s.io/worker-index": str(index),
        "leaderworkerset.sigs.k8s.io/group-index": "0",
    }
    conditions = [{"type": "Ready", "status": str(ready)}]
    containers = [{"name": "vllm", "state": state or {"running": {}}, "lastState": last_state or {}}]
    if unscheduled:
        unschedulable = {"reason": "Unschedulable", "message": unscheduled}
        conditions.append({"type": "PodScheduled", "status": "False", **unschedulable})
        containers = []
    return {
        "metadata": {"name": name, "namespace": "vllm-scout", "uid": f"uid of {name}", "labels": labels},
        "spec": {
            "containers": [
                {"name": "vllm", "ports": [{"name": port, "containerPort": number} for port, number in ports.items()]}
            ]
        },
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": containers},
    }


def event(reason: str, message: str, *, about: str = "scout-0", kind: str = "Warning", uid: str = "") -> dict[str, Any]:
    """Return an event about a pod."""
    involved = {"kind": "Pod" if "-" in about else "LeaderWorkerSet", "name": about, "uid": uid or f"uid of {about}"}
    at = "2026-01-01T00:00:00Z"
    return {"reason": reason, "message": message, "involvedObject": involved, "type": kind, "lastTimestamp": at}
