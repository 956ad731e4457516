"""A Hugging Face Hub on 127.0.0.1 with the part of its protocol that huggingface_hub needs, and its errors."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_plantedTokenThatMustNotBePrinted"
WEIGHT_PADDING = 200_000
"""Bytes of weights after each header, to detect requests for them."""


def safetensors(header: Mapping[str, object]) -> bytes:
    """Return a file with this header, and with weights that must not be downloaded."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"w" * WEIGHT_PADDING


@dataclass
class Hub:
    """The server's content, its errors, and the requests it got."""

    files: dict[str, bytes]
    model_id: str = "org/model"
    commit: str = COMMIT
    gated: bool | str = False
    needs_token: bool = False
    """Files of a gated repository answer 403 without the right token."""
    private: bool = False
    missing: bool = False
    ignores_ranges: bool = False
    lists_files: bool = True
    cuts_off: frozenset[str] = frozenset()
    """Files whose response stops in the middle."""
    cut_times: int = 10**9
    """The number of incomplete responses before a complete one."""
    silent: frozenset[str] = frozenset()
    drips: frozenset[str] = frozenset()
    """Files that are sent byte by byte."""
    status: dict[str, int] = field(default_factory=dict)
    """Files, or `api`, that answer with this status."""
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """(path, Range, Authorization) of every request."""
    sent_bytes: int = 0
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one packet per response, because two would wait 40 ms for each other
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        """Keep tests quiet."""

    def do_GET(self) -> None:
        hub = self.hub
        hub.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        if self.path.startswith("/api/models/"):
            self._model_info()
        elif self.path.startswith("/cdn/"):
            self._content(self.path.removeprefix("/cdn/"))
        else:
            self._resolve()

    def _model_info(self) -> None:
        hub = self.hub
        found = re.fullmatch(rf"/api/models/{hub.model_id}(?:/revision/([^/?]+))?", self.path.partition("?")[0])
        if "api" in hub.status:
            self._answer(hub.status["api"], b"{}", {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif hub.private and not self._token_is_right():
            self._answer(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif hub.missing or not found:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif found[1] not in (None, "main", hub.commit):
            self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            siblings = [{"rfilename": name} for name in hub.files if hub.lists_files]
            document = {"id": hub.model_id, "sha": hub.commit, "gated": hub.gated, "siblings": siblings}
            self._answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _resolve(self) -> None:
        hub = self.hub
        found = re.fullmatch(rf"/{hub.model_id}/resolve/{hub.commit}/(.+)", self.path)
        name = found[1] if found else ""
        if name in hub.status:
            self._answer(hub.status[name], b"")
        elif hub.needs_token and not self._token_is_right():
            self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif name not in hub.files:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        elif name.endswith(".safetensors"):
            self._answer(302, b"", {"Location": f"{hub.url}/cdn/{name}", "X-Repo-Commit": hub.commit})
        else:
            self._content(name)

    def _content(self, name: str) -> None:
        hub, content = self.hub, self.hub.files[name]
        if name in hub.silent:
            hub.released.wait(20)
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        status = 200
        if asked and not hub.ignores_ranges:
            status, content = 206, content[int(asked[1]) : int(asked[2]) + 1]
        if name in hub.drips:
            self._drip(content)
            return
        if name in hub.cuts_off and hub.cut_times > 0:
            hub.cut_times -= 1
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self._answer(status, content, {"ETag": '"x"', "X-Repo-Commit": hub.commit})

    def _drip(self, content: bytes) -> None:
        self.send_response(206)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for byte in content:
            if self.hub.released.wait(0.02):
                self.close_connection = True
                return
            try:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
            except ConnectionError:
                return

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content)
            self.hub.sent_bytes += len(content)
        except ConnectionError:
            self.close_connection = True

    def _token_is_right(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Run the server in a block. `hub.url` is its endpoint."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 256,
    "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
    "rope_theta": 500000.0,
    "_name_or_path": "secret/path",
}
FILES = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def bf16(*shape: int) -> dict[str, Any]:
    return {"dtype": "BF16", "shape": list(shape), "data_offsets": [0, 0]}


def layer(index: int) -> dict[str, Any]:
    at = f"model.layers.{index}"
    sizes = {
        "self_attn.q_proj": (64, 64),
        "self_attn.k_proj": (32, 64),
        "self_attn.v_proj": (32, 64),
        "self_attn.o_proj": (64, 64),
        "mlp.gate_proj": (128, 64),
        "mlp.up_proj": (128, 64),
        "mlp.down_proj": (64, 128),
        "input_layernorm": (64,),
        "post_attention_layernorm": (64,),
    }
    return {f"{at}.{name}.weight": bf16(*shape) for name, shape in sizes.items()}


def repository(**changes: Any) -> Hub:
    """Return a small Llama in two files, with copies under other names. `changes` are fields of Hub."""
    first = {"__metadata__": {"format": "pt"}, "model.embed_tokens.weight": bf16(256, 64), **layer(0), **layer(1)}
    second = {**layer(2), "model.norm.weight": bf16(64), "lm_head.weight": bf16(256, 64)}
    total = 2 * (2 * 256 * 64 + 64 + 3 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 128 * 64 + 2 * 64))
    weight_map = {
        name: file
        for file, header in zip(FILES, (first, second), strict=True)
        for name in header
        if name != "__metadata__"
    }
    files = {
        "config.json": json.dumps(CONFIG).encode(),
        "model.safetensors.index.json": json.dumps(
            {"metadata": {"total_size": total}, "weight_map": weight_map}
        ).encode(),
        FILES[0]: safetensors(first),
        FILES[1]: safetensors(second),
        "consolidated.safetensors": safetensors({**first, **second}),
        "original/model.safetensors": safetensors({**first, **second}),
    }
    return Hub(files={**files, **changes.pop("files", {})}, **changes)
