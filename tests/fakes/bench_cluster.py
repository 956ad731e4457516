"""A cluster with one served model, in memory: it stores the objects of a benchmark and runs its Job."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vllm_eks.bench.pod_script import RESULT_MARK
from vllm_eks.bench.writing_api import WritingApi
from vllm_eks.doctor.api import UnreadableAnswerError

RESULTS = Path(__file__).parents[1] / "data" / "bench_results"
RESULT = (RESULTS / "0.27.0.json").read_text()
SECRET = "sk-planted-key"


def group(name: str = "scout", *, ready: int = 1, replicas: int = 1, **leader: Any) -> dict[str, Any]:
    """Return a model's LeaderWorkerSet. `leader` replaces parts: args, volumes, env, zones, instance_type."""
    args = leader.get("args") or [
        *("Qwen/Qwen3-8B", "--served-model-name", name, "--revision", "abc123", "--host", "0.0.0.0"),
        *("--tensor-parallel-size", "1", "--pipeline-parallel-size", "1", "--max-model-len", "8192"),
    ]
    volumes = leader.get("volumes") or [
        {"name": "weights", "emptyDir": {}},
        {"name": "api-key", "secret": {"secretName": f"{name}-api-key-1f2e3d"}},
    ]
    zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": leader.get("zones", ["us-west-2a"])}
    required = {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}
    pod = {
        "containers": [
            {
                "name": "vllm",
                "image": "registry.example/vllm:1",
                "args": args,
                "env": leader.get("env", []),
                "ports": [{"name": "http", "containerPort": 8000}],
            }
        ],
        "volumes": volumes,
        "nodeSelector": {"node.kubernetes.io/instance-type": leader.get("instance_type", "g6e.xlarge")},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
    }
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "leaderWorkerTemplate": {"leaderTemplate": {"spec": pod}}},
        "status": {"readyReplicas": ready},
    }


def node(name: str, *, disk: str = "47Gi", memory: str = "7Gi", **other: Any) -> dict[str, Any]:
    """Return a node without GPUs. `other` replaces parts: taints, gpus, os, arch, ready, unschedulable."""
    free = {"cpu": "2", "memory": memory, "ephemeral-storage": disk}
    kind = {"kubernetes.io/os": other.get("os", "linux"), "kubernetes.io/arch": other.get("arch", "amd64")}
    return {
        "metadata": {"labels": {"kubernetes.io/hostname": name, **kind}},
        "spec": {"taints": other.get("taints", []), "unschedulable": other.get("unschedulable", False)},
        "status": {
            "allocatable": {**free, "nvidia.com/gpu": "1"} if other.get("gpus") else free,
            "conditions": [{"type": "Ready", "status": other.get("ready", "True")}],
        },
    }


@dataclass
class JobRun:
    """How the Job goes: the pod's states in order, one a look, then its end."""

    pods: Sequence[dict[str, Any]] = ({"phase": "Running"},)
    end: str = "Complete"
    reason: str = ""
    log: str = f"noise\n{RESULT_MARK}{json.dumps(json.loads(RESULT))}\n"


class FakeCluster(WritingApi):
    """Answers like an API server."""

    def __init__(
        self, *groups: dict[str, Any], nodes: Sequence[dict[str, Any]] = (), run: JobRun | None = None
    ) -> None:
        self.groups = {one["metadata"]["name"]: one for one in groups}
        self.nodes = list(nodes)
        self.run = run or JobRun()
        self.objects: dict[str, dict[str, Any]] = {}
        self.created: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.refused: dict[str, int] = {}
        """Kind -> HTTP status with which its creation is refused."""
        self.silent = 0
        """How many reads from now on get no answer."""
        self.looks = 0

    def _answer(self, method: str, path: str, headers: Any, *, query: Any = (), body: Any = None) -> str:
        if method == "POST":
            return json.dumps(self._post(path, body))
        if method == "DELETE":
            self.deleted.append(path)
            self._found(self.objects, path)
            for name in [one for one in self.objects if one == path or self.objects[one].get("owner") == path]:
                del self.objects[name]
            return "{}"
        if self.silent:
            self.silent -= 1
            raise UnreadableAnswerError("no answer (connection refused)")
        return self._get(path)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        kind, name = body["kind"], body["metadata"]["name"]
        if kind in self.refused:
            raise UnreadableAnswerError(f"HTTP {self.refused[kind]} Refused", self.refused[kind])
        if f"{path}/{name}" in self.objects:
            raise UnreadableAnswerError("HTTP 409 Conflict", 409)
        stored = {**body, "metadata": {**body["metadata"], "uid": f"{len(self.created):08d}-uid"}}
        self.created.append(stored)
        self.objects[f"{path}/{name}"] = stored
        return stored

    def _get(self, path: str) -> str:
        if path == "/api/v1/nodes":
            return json.dumps({"items": self.nodes})
        if path.endswith("/log"):
            return self.run.log
        if path.endswith("/pods"):
            return json.dumps({"items": self._pods()})
        if "leaderworkersets" in path:
            return json.dumps(self._found(self.groups, path.rpartition("/")[2]))
        found = dict(self._found(self.objects, path))
        if found["kind"] == "Job" and self.looks >= len(self.run.pods):
            ended = {"type": self.run.end, "status": "True", "reason": self.run.reason}
            found["status"] = {"conditions": [ended]}
        return json.dumps(found)

    def _pods(self) -> list[dict[str, Any]]:
        status = self.run.pods[min(self.looks, len(self.run.pods) - 1)] if self.run.pods else {}
        self.looks += 1
        return [{"metadata": {"name": "scout-bench-x7k"}, "status": status}]

    def _found(self, objects: dict[str, Any], name: str) -> dict[str, Any]:
        if name not in objects:
            raise UnreadableAnswerError("HTTP 404 Not Found", 404)
        return objects[name]


@dataclass
class FakeClock:
    """Time that passes only while someone sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)
        self.now += seconds
