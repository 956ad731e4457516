"""A test double of vLLM's HTTP server: /health, /metrics, completions; as fast, slow, stuck or dead as a test wants."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Double:
    """How the server behaves; a test may change it while it runs."""

    health: int = 200
    """HTTP status of /health; 503 is what vLLM says once its engine core is gone."""
    running: int = 0
    waiting: int = 0
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
        """What /metrics says, in the form of vLLM 0.21; each call is one look."""
        labels = '{engine="0",model_name="scout"}'
        self.tokens += self.tokens_per_look
        self.cache_use += self.cache_use_per_look
        lines = [
            "# HELP vllm:num_requests_running Number of requests in model execution batches.",
            "# TYPE vllm:num_requests_running gauge",
            f"vllm:num_requests_running{labels} {float(self.running)}",
            f"vllm:num_requests_waiting{labels} {float(self.waiting)}",
            f"vllm:kv_cache_usage_perc{labels} {self.cache_use}",
            f"vllm:prompt_tokens_total{labels} 52000.0",
            f"vllm:generation_tokens_total{labels} {float(self.tokens)}",
            'vllm:request_success_total{engine="0",finished_reason="stop",model_name="scout"} 12.0',
            # Moves at every scrape, with or without an engine.
            f"process_cpu_seconds_total {time.monotonic()}",
        ]
        return "\n".join(lines) + "\n"


class _Handler(BaseHTTPRequestHandler):
    double: Double

    def do_GET(self) -> None:
        double = self.double
        self._note()
        if self.path == "/health":
            self._say(double.health, b"")
        elif self.path == "/metrics":
            self._say(200, double.metrics().encode())
        elif self._is_allowed() and self.path == "/v1/models":
            self._say(200, json.dumps({"object": "list", "data": [{"id": "scout", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        self._note()
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self._is_allowed():
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
