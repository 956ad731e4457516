"""A Hugging Face Hub and its storage, on two loopback ports, for the copy Job's script."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_plantedTokenOfTheHub"
LARGE = (".safetensors", ".bin")
"""Files in the storage. The others come from the Hub itself, after a redirect to another path."""


@dataclass
class HubStub:
    """The content, the errors, and the requests it got."""

    files: dict[str, bytes]
    needs_token: bool = False
    api_status: list[int] = field(default_factory=list)
    """The statuses of the next requests for the list, one each."""
    api_says: list[bytes] = field(default_factory=list)
    """Answers to the next requests for the list instead of it, without their last byte."""
    retry_after: str = "0"
    status: dict[str, list[int]] = field(default_factory=dict)
    """File -> the statuses of the next requests for it, from the Hub or the storage."""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """File -> the bytes after which its next responses stop, one each."""
    corrupt: dict[str, int] = field(default_factory=dict)
    """File -> the number of responses with a wrong byte."""
    slow_from: dict[str, int] = field(default_factory=dict)
    """File -> the byte from which it is sent very slowly."""
    listed_sizes: dict[str, int] = field(default_factory=dict)
    """File -> a wrong size in the list."""
    stall_after: dict[str, list[int]] = field(default_factory=dict)
    """File -> the bytes after which its next responses stop with an open connection, one each."""
    ranges: str = "right"
    """`right`; `ignored`; or `wrong`, once: a different part than requested."""
    url: str = ""
    storage_url: str = ""
    fetched: list[tuple[str, str | None]] = field(default_factory=list)
    """File and Range of every response with data of a file."""
    hub_tokens: list[str | None] = field(default_factory=list)
    storage_tokens: list[str | None] = field(default_factory=list)
    slow_to_the_end: list[str] = field(default_factory=list)
    """Files that were sent slowly to the last byte."""
    released: threading.Event = field(default_factory=threading.Event)

    def listing(self) -> list[dict[str, Any]]:
        """Return the files in the format of the Hub's API: large ones with their sha256, small ones with git's hash."""
        return [
            {"rfilename": name, "size": self.listed_sizes.get(name, len(data)), "blobId": "0" * 40}
            | (
                {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}}
                if name.endswith(LARGE)
                else {"blobId": git_hash(data)}
            )
            for name, data in self.files.items()
        ]


def git_hash(data: bytes) -> str:
    """Return git's hash of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    stub: HubStub
    is_storage = False
    wbufsize = 1 << 16  # one packet per response, because two would wait 40 ms for each other

    def handle(self) -> None:
        """Answer, even if the client is gone."""
        with suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        """Close, even if the client is gone."""
        with suppress(ConnectionError):
            super().finish()

    def do_GET(self) -> None:
        stub, token = self.stub, self.headers["Authorization"]
        (stub.storage_tokens if self.is_storage else stub.hub_tokens).append(token)
        cached = f"/api/resolve-cache/models/org/model/{COMMIT}/"
        if self.is_storage:
            self._send_file(self.path[1:])
        elif stub.needs_token and token != f"Bearer {TOKEN}":
            self._send(401, b"")
        elif self.path.startswith(cached):
            self._send_file(self.path.removeprefix(cached))
        elif self.path.startswith("/api/"):
            self._send_list()
        else:
            name = self.path.removeprefix(f"/org/model/resolve/{COMMIT}/")
            if name.endswith(LARGE):
                self._send(302, b"", Location=f"{stub.storage_url}/{name}")
            else:
                self._send(307, b"", Location=cached + name)

    def _send_list(self) -> None:
        stub = self.stub
        if stub.api_says:
            self._send(200, stub.api_says.pop(0), length=1)
            return
        status = stub.api_status.pop(0) if stub.api_status else 200
        found = self.path == f"/api/models/org/model/revision/{COMMIT}?blobs=true"
        self._send(status if found else 404, json.dumps({"siblings": stub.listing()}).encode())

    def _send(self, status: int, body: bytes, length: int = 0, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Retry-After": self.stub.retry_after}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + length))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, name: str) -> None:
        stub, asked, data = self.stub, self.headers["Range"], self.stub.files[name]
        if stub.status.get(name):
            self._send(stub.status[name].pop(0), b"")
            return
        stub.fetched.append((name, asked))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and stub.ranges != "ignored" else 0
        if start and stub.ranges == "wrong":
            start, stub.ranges = start - 1000, "right"
        if start >= len(data) > 0:
            self._send(416, b"")
            return
        if stub.corrupt.get(name, 0) > 0:
            stub.corrupt[name] -= 1
            data = bytes([data[0] ^ 1]) + data[1:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        stalls = bool(stub.stall_after.get(name))
        ends = stub.stall_after if stalls else stub.cut_after
        end = start + ends[name].pop(0) if ends.get(name) else len(data)
        self._send_bytes(name, data, start, end)
        if stalls:
            stub.released.wait()

    def _send_bytes(self, name: str, data: bytes, start: int, end: int) -> None:
        stub = self.stub
        slow_from = stub.slow_from.get(name, end)
        self.wfile.write(data[start : min(end, slow_from)])
        self.wfile.flush()
        for at in range(slow_from, end, 1 << 14):
            if stub.released.wait(0.01):
                return
            self.wfile.write(data[at : at + (1 << 14)])
            self.wfile.flush()
        if slow_from < end:
            stub.slow_to_the_end.append(name)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep tests quiet."""


@contextmanager
def hub_stub(files: dict[str, bytes]) -> Iterator[HubStub]:
    """Serve the Hub and its storage until the block ends."""
    stub = HubStub(files=files)
    hub = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (_Handler,), {"stub": stub}))
    storage = ThreadingHTTPServer(("127.0.0.1", 0), type("Storage", (_Handler,), {"stub": stub, "is_storage": True}))
    stub.url, stub.storage_url = (f"http://127.0.0.1:{one.server_address[1]}" for one in (hub, storage))
    threads = [threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}) for one in (hub, storage)]
    for thread in threads:
        thread.start()
    try:
        yield stub
    finally:
        stub.released.set()
        for server, thread in zip((hub, storage), threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
