"""Serves /metrics and /load of a leader on a port of their own, which clients cannot reach.

The API port answers /metrics only to clients with a key and to the pod itself, because it shows who uses the model and
how much. A monitor, and the drain of the group's other pods, read this port instead. A NetworkPolicy closes it to all
others. Standard library only. It runs in the supervisor, so that there are metrics before vLLM answers.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import cast

from vllm_eks.pods.engine import WITHOUT_PROXY

ENGINE_SECONDS = 5.0
"""Limit for vLLM's answer. Prometheus waits 10 s for the whole scrape by default. A busy server needs up to 1 s."""
CLIENT_SECONDS = 5.0
"""Limit for each read from a client and each write to it."""
MAX_CONNECTIONS = 8
"""Two monitors and the pods of a group need fewer. Each connection has a thread."""
FORMAT = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of the Prometheus exposition format."""

Own = Callable[[bool], str]
"""Returns the supervisor's own metrics. The argument: whether the engine has just answered."""


class MetricsServer(ThreadingHTTPServer):
    """Serves until the process ends, in threads that never stop it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], engine_url: str, own: Own) -> None:
        super().__init__(address, _Handler)
        self.engine_url, self.own = engine_url, own
        self._free = threading.Semaphore(MAX_CONNECTIONS)

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def process_request(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Start a thread for a connection, or close the connection if there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Serve a connection in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Ignore clients that give up. The log is for vLLM."""


class _Handler(BaseHTTPRequestHandler):
    timeout = CLIENT_SECONDS

    def do_GET(self) -> None:
        server = cast(MetricsServer, self.server)
        if self.path not in ("/metrics", "/load"):
            self.send_error(404)
            return
        status, body = read_engine_path(server.engine_url + self.path, seconds=ENGINE_SECONDS)
        if self.path == "/metrics":
            own = server.own(status == 200).encode()
            status, body = 200, (body if status == 200 else b"") + own
        self.send_response(status)
        self.send_header("Content-Type", FORMAT if self.path == "/metrics" else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the log is for vLLM."""


def read_engine_path(url: str, *, seconds: float) -> tuple[int, bytes]:
    """Return the status and the body of vLLM's answer: 502 when there is none, 504 when it is late. Never raises.

    The limit applies to the whole answer. urllib's own limit applies to each read.
    """
    until = time.monotonic() + seconds
    body = b""
    try:
        with WITHOUT_PROXY.open(url, timeout=seconds) as answer:
            while part := answer.read1(65536):
                body += part
                if time.monotonic() > until:
                    return 504, b""
            return answer.status, body
    except urllib.error.HTTPError as error:
        return error.code, b""
    except TimeoutError:
        return 504, b""
    except (OSError, ValueError, http.client.HTTPException) as error:
        return (504 if isinstance(getattr(error, "reason", None), TimeoutError) else 502), b""
