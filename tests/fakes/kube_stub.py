"""A stub cluster for the hook Job's script: the Kubernetes API and vLLM, on loopback addresses."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vllm_eks.pods import PODS, wait_ready

NAMES = {"leader": "127.0.0.1", "second leader": "127.0.0.2", "service": "127.0.0.3", "old leader": "127.0.0.4"}
ANSWER = (200, {"choices": [{"text": "!"}]})


@dataclass
class World:
    """The stub servers' answers, and the requests they got."""

    lws: dict[str, Any] = field(default_factory=dict)
    pods: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    logs_asked: list[str] = field(default_factory=list)
    asked: list[tuple[str, str | None, Any]] = field(default_factory=list)
    on_look: Callable[[int], None] = lambda _: None
    looks: int = 0
    port: int = 0
    files: Path = Path()


class Stub(BaseHTTPRequestHandler):
    """The Kubernetes API for GET, and vLLM for POST."""

    world: World

    def do_GET(self) -> None:
        world = self.world
        if "/log?" in self.path:
            world.logs_asked.append(self.path.removeprefix("/api/v1/namespaces/ns/pods/"))
            text = world.logs.get(world.logs_asked[-1].partition("/")[0])
            self.say_text(*((200, text) if text is not None else (404, "")))
            return
        if "leaderworkersets" in self.path:
            world.looks += 1
            world.on_look(world.looks)
        found = {
            "/apis/leaderworkerset.x-k8s.io/v1/namespaces/ns/leaderworkersets/scout": world.lws,
            "/api/v1/namespaces/ns/pods?labelSelector=leaderworkerset.sigs.k8s.io/name%3Dscout": {"items": world.pods},
            "/api/v1/namespaces/ns/events": {"items": world.events},
        }.get(self.path)
        allowed = self.headers["Authorization"] == "Bearer service-account"
        self.say(*((200, found) if allowed and found is not None else (403, {})))

    def do_POST(self) -> None:
        address = self.headers["Host"].partition(":")[0]
        name = next(name for name, ip in NAMES.items() if ip == address)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.world.asked.append((name, self.headers["Authorization"], body))
        self.say(*self.world.answers.get(name, ANSWER))

    def say(self, status: int, body: Any) -> None:
        self.say_text(status, json.dumps(body))

    def say_text(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep tests quiet."""


class Direct:
    """The stub Kubernetes API without HTTP, for tests with hundreds of calls."""

    def __init__(self, world: World) -> None:
        self.world = world

    def leader_worker_set(self, _: str) -> dict[str, Any]:
        self.world.looks += 1
        self.world.on_look(self.world.looks)
        return self.world.lws

    def core(self, path: str) -> dict[str, Any]:
        return {"items": self.world.events if path == "events" else self.world.pods}

    def log(self, pod: str, *, container: str = "", before: bool = False) -> str:
        self.world.logs_asked.append(f"{pod} {container}{' before' if before else ''}")
        if pod not in self.world.logs:
            raise OSError("HTTP Error 404: Not Found")
        return self.world.logs[pod]


@dataclass
class FakeClock:
    """A clock that only moves when sleeping."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@contextmanager
def stub_world(files: Path) -> Iterator[World]:
    """One server on all loopback addresses, so that pods have different IPs and the same port, as in a cluster."""
    made = World(files=files)
    (files / "token").write_text("service-account\n")
    (files / "apiKey").write_text("the-key\n")
    with ThreadingHTTPServer(("0.0.0.0", 0), type("Bound", (Stub,), {"world": made})) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def status(*, ready: int, updated: int, replicas: int = 1, seen: int = 2) -> dict[str, Any]:
    counts = {"readyReplicas": ready, "updatedReplicas": updated, "replicas": replicas, "observedGeneration": seen}
    return {"metadata": {"generation": 2}, "status": counts}


def pod(
    name: str = "scout-0",
    *,
    ip: str = NAMES["leader"],
    index: int = 0,
    revision: str = "new",
    ready: bool = True,
    state: Mapping[str, Any] | None = None,
    last_state: Mapping[str, Any] | None = None,
    conditions: tuple[Mapping[str, Any], ...] = (),
    deleted: bool = False,
) -> dict[str, Any]:
    labels = {"vllm-eks/revision": revision, "leaderworkerset.sigs.k8s.io/worker-index": str(index)}
    containers = [{"name": "vllm", "state": state or {"running": {}}, "lastState": last_state or {}}]
    return {
        "metadata": {
            **{"name": name, "uid": f"uid of {name}", "labels": labels},
            **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}),
        },
        "status": {
            **{"phase": "Running", "podIP": ip},
            "conditions": [{"type": "Ready", "status": str(ready)}, *conditions],
            "containerStatuses": [] if conditions else containers,
        },
    }


def event(reason: str, message: str, *, about: str = "scout-0", kind: str = "Warning") -> dict[str, Any]:
    about_it = {"name": about, "uid": f"uid of {about}", "kind": "Pod" if "-" in about else "LeaderWorkerSet"}
    at = "2026-01-01T00:00:00Z"
    return {"reason": reason, "message": message, "involvedObject": about_it, "type": kind, "lastTimestamp": at}


def run(
    world: World,
    *,
    replicas: int = 1,
    timeout_seconds: float = 10,
    heartbeat_seconds: float = 60,
    key_settle_seconds: float = 180,
    port: int = 0,
    alone: bool = False,
    poll_seconds: float = 0.05,
    options: Sequence[str] = (),
    direct: bool = False,
) -> tuple[int, list[str]]:
    """Run the script. Return its exit status and its lines without the elapsed time.

    `alone` runs it as its own process, as in the cluster.
    """
    arguments = [
        *("--namespace=ns", "--name=scout", "--revision=new", "--model=scout", f"--replicas={replicas}"),
        *(f"--port={port or world.port}", f"--service-url=http://{NAMES['service']}:{world.port}"),
        f"--key-settle-seconds={key_settle_seconds}",
        *(
            f"--timeout-seconds={timeout_seconds}",
            f"--poll-seconds={poll_seconds}",
            f"--heartbeat-seconds={heartbeat_seconds}",
        ),
        *(f"--kubernetes-url=http://127.0.0.1:{world.port}", f"--credentials={world.files}"),
        f"--api-key-file={world.files / 'apiKey'}",
        *options,
    ]
    if alone:
        script = [sys.executable, "-u", str(PODS / "wait_ready.py")]
        done = subprocess.run(
            [*script, *arguments], capture_output=True, text=True, env={"PYTHONDONTWRITEBYTECODE": "1"}
        )
        assert done.stderr == ""
        code, said = done.returncode, done.stdout
    else:
        # In this process, because starting Python many times takes longer than all runs.
        with redirect_stdout(io.StringIO()) as out:
            kubernetes = Direct(world) if direct else None
            code = wait_ready.main(arguments, FakeClock(), kubernetes)
        said = out.getvalue()
    return code, [line.partition("s] ")[2] or line for line in said.splitlines()]
