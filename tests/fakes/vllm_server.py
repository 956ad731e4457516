"""A fake of vLLM's HTTP server: /health, /metrics, /load and completions. It can be fast, slow, stuck or dead.

/metrics is a real server's text (tests/data/metrics, by version) with other numbers.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Double:
    """The server's behaviour, which a test may change while it runs."""

    health: int = 200
    """HTTP status of /health. vLLM answers 503 when its engine core is dead."""
    version: str = "0.32.0"
    running: int = 0
    """Requests in the engine's metrics. An engine that hangs while idle reports none."""
    waiting: int = 0
    in_flight: int | None = None
    """The answer of /load, if it is not the sum of the two."""
    stats: bool = True
    """False: /metrics has none of vLLM's lines, as with --disable-log-stats."""
    answers_tokens: bool = True
    """False: a completion's connection is closed without an answer."""
    hangs: bool = False
    """Whether a request gets no answer until the block ends."""
    tokens: int = 1000
    """Generated tokens so far."""
    tokens_per_look: int = 0
    """New tokens at each read of the metrics. 0 with running requests means a stuck engine."""
    cache_use: float = 0.25
    cache_use_per_look: float = 0.0
    """A long prompt in progress: the cache fills, but there are no tokens."""
    delay_seconds: float = 0.0
    """The delay of each answer."""
    answer: tuple[int, Any] = (200, {"choices": [{"text": "!"}]})
    keys: tuple[str, ...] = ()
    """Valid API keys. Empty accepts all requests."""
    port: int = 0
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Authorization of each request."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Set at the end of the block."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metrics(self) -> str:
        """The answer of /metrics. Each call is one read."""
        self.tokens += self.tokens_per_look
        self.cache_use += self.cache_use_per_look
        values = {
            "vllm:num_requests_running": self.running,
            "vllm:num_requests_waiting": self.waiting,
            "vllm:kv_cache_usage_perc": self.cache_use,
            "vllm:generation_tokens_total": self.tokens,
            "process_cpu_seconds_total": time.monotonic(),  # changes at every read, with or without an engine
        }
        lines = []
        for line in real_metrics(self.version).splitlines():
            name = line.partition("{")[0].partition(" ")[0]
            if line.startswith("vllm:") and not self.stats:
                continue
            lines.append(f"{line.rpartition(' ')[0]} {float(values[name])}" if name in values else line)
        return "\n".join(lines) + "\n"

    @property
    def load(self) -> int:
        """The answer of /load."""
        return self.running + self.waiting if self.in_flight is None else self.in_flight


@cache
def real_metrics(version: str) -> str:
    """Return the metrics of a real server of that version."""
    return (Path(__file__).parents[1] / "data" / "metrics" / f"{version}.txt").read_text()


class _Handler(BaseHTTPRequestHandler):
    double: Double

    def do_GET(self) -> None:
        double = self.double
        self._note()
        if self.path == "/health":
            self._say(double.health, b"")
        elif self.path == "/metrics":
            self._say(200, double.metrics().encode())
        elif self.path == "/load":
            self._say(200, json.dumps({"server_load": double.load}).encode())
        elif self._is_allowed() and self.path == "/v1/models":
            self._say(200, json.dumps({"object": "list", "data": [{"id": "scout", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        self._note()
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self._is_allowed() and self.double.answers_tokens:
            status, body = self.double.answer
            self._say(status, json.dumps(body).encode())

    def _note(self) -> None:
        self.double.asked.append((self.command, self.path, self.headers["Authorization"]))
        time.sleep(self.double.delay_seconds)
        if self.double.hangs:
            self.double.ended.wait()

    def _is_allowed(self) -> bool:
        keys = self.double.keys
        if keys and self.headers["Authorization"] not in [f"Bearer {key}" for key in keys]:
            self._say(401, b'{"error": "Unauthorized"}')
            return False
        return True

    def _say(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if body[:1] in (b"{", b"[") else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # the client has given up

    def log_message(self, format: str, *args: Any) -> None:
        """Keep tests quiet."""


@contextmanager
def vllm_double(**behaviour: Any) -> Iterator[Double]:
    """Serve a double on a loopback port until the block ends."""
    double = Double(**behaviour)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"double": double})) as server:
        server.daemon_threads = True
        double.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield double
        finally:
            double.ended.set()
            server.shutdown()
            thread.join()
