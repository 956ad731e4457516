"""A test double of vLLM's HTTP server: /health, /metrics, /load, completions; as fast, slow, stuck or dead as wanted.

What /metrics says is a real server's text (tests/data/metrics, by version) with other numbers in it.
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
    """How the server behaves; a test may change it while it runs."""

    health: int = 200
    """HTTP status of /health; 503 is what vLLM says once its engine core is gone."""
    version: str = "0.32.0"
    running: int = 0
    """Requests of which the engine has told; one that hangs while idle tells of none."""
    waiting: int = 0
    in_flight: int | None = None
    """What /load says where it is not the sum of the two."""
    stats: bool = True
    """False: as with --disable-log-stats, /metrics has no line of vLLM's own."""
    answers_tokens: bool = True
    """False: a completion never comes."""
    tokens: int = 1000
    """Generated so far."""
    tokens_per_look: int = 0
    """How many more there are at each look at the metrics: 0 with requests running is a stuck engine."""
    cache_use: float = 0.25
    cache_use_per_look: float = 0.0
    """A long prompt being read: the cache fills, no token comes."""
    delay_seconds: float = 0.0
    """How late each answer is."""
    answer: tuple[int, Any] = (200, {"choices": [{"text": "!"}]})
    keys: tuple[str, ...] = ()
    """API keys that are accepted; none: everybody is."""
    port: int = 0
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Authorization of each request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metrics(self) -> str:
        """What /metrics says; each call is one look."""
        self.tokens += self.tokens_per_look
        self.cache_use += self.cache_use_per_look
        values = {
            "vllm:num_requests_running": self.running,
            "vllm:num_requests_waiting": self.waiting,
            "vllm:kv_cache_usage_perc": self.cache_use,
            "vllm:generation_tokens_total": self.tokens,
            "process_cpu_seconds_total": time.monotonic(),  # moves at every scrape, with or without an engine
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
        """What /load says."""
        return self.running + self.waiting if self.in_flight is None else self.in_flight


@cache
def real_metrics(version: str) -> str:
    """Return what a real server of that version said."""
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
            pass  # whoever asked has given up

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


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
            server.shutdown()
            thread.join()
