"""A Hugging Face Hub and the storage it sends to, on two loopback ports, for the copy Job's script."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_plantedTokenOfTheHub"


@dataclass
class HubStub:
    """What it holds, how it misbehaves, and what it was asked."""

    files: dict[str, bytes]
    api_status: list[int] = field(default_factory=list)
    """Statuses that the next questions for the list get, one each."""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """File -> bytes after which its next answers break off, one each."""
    corrupt: dict[str, int] = field(default_factory=dict)
    """File -> how many answers have a wrong byte in them."""
    stop_at: str = ""
    """A file that is never sent to its end: the connection stays open."""
    ignores_ranges: bool = False
    url: str = ""
    storage_url: str = ""
    ranges: list[tuple[str, str | None]] = field(default_factory=list)
    """File and Range of every answer from the storage."""
    hub_tokens: list[str | None] = field(default_factory=list)
    storage_tokens: list[str | None] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def listing(self) -> list[dict[str, Any]]:
        """Return the files as the Hub's API lists them: large ones with their sha256, small ones with git's hash."""
        return [
            {"rfilename": name, "size": len(data), "blobId": "0" * 40}
            | (
                {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}}
                if name.endswith((".safetensors", ".bin"))
                else {"blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}
            )
            for name, data in self.files.items()
        ]


class _Handler(BaseHTTPRequestHandler):
    stub: HubStub
    is_storage = False

    def do_GET(self) -> None:
        stub = self.stub
        if self.is_storage:
            stub.storage_tokens.append(self.headers["Authorization"])
            self._send_file(self.path[1:])
            return
        stub.hub_tokens.append(self.headers["Authorization"])
        if self.path.startswith("/api/"):
            status = stub.api_status.pop(0) if stub.api_status else 200
            found = self.path == f"/api/models/org/model/revision/{COMMIT}?blobs=true"
            self._send(status if found else 404, json.dumps({"siblings": stub.listing()}).encode())
        else:
            name = self.path.removeprefix(f"/org/model/resolve/{COMMIT}/")
            self.send_response(302)
            self.send_header("Location", f"{stub.storage_url}/{name}")
            self.end_headers()

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, name: str) -> None:
        stub, asked = self.stub, self.headers["Range"]
        stub.ranges.append((name, asked))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not stub.ignores_ranges else 0
        data = stub.files[name]
        if stub.corrupt.get(name, 0) > 0:
            stub.corrupt[name] -= 1
            data = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = start + stub.cut_after[name].pop(0) if stub.cut_after.get(name) else len(data)
        if name == stub.stop_at:
            self.wfile.write(data[start : len(data) // 2])
            self.wfile.flush()
            stub.released.wait()
            return
        self.wfile.write(data[start:end])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


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
