"""Checks API keys: an ASGI middleware for vLLM's --middleware, with keys from mounted files.

vLLM's own check takes one key from its environment, or several on its command line, which it also logs. This one reads
each file in the folder as a key, and reads them again when they change, so that keys rotate while the model runs. All
paths except OPEN_PATHS need a key. vLLM's own check leaves all paths outside /v1 open, even /invocations and /tokenize.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

OPEN_PATHS = frozenset({"/health", "/load", "/metrics", "/ping", "/version"})
"""The paths that probes and monitoring use. They return numbers and never prompts."""
KEYS_FOLDER = "API_KEYS_FOLDER"
"""Has no VLLM_ prefix, because vLLM warns about unknown variables with that prefix."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ApiKeys:
    """Passes requests with a valid key, and answers 401 to others."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._folder = Path(os.environ[KEYS_FOLDER])
        self._seen: object = None
        self._keys: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Messages other than HTTP and websocket (server start and stop) pass."""
        if scope["type"] not in ("http", "websocket") or self._may_pass(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"error": "Unauthorized"}'})

    def _may_pass(self, scope: Scope) -> bool:
        path = str(scope["path"]).removeprefix(scope.get("root_path", "") or "")
        # A browser sends a preflight request without the key.
        if scope.get("method") == "OPTIONS" or path in OPEN_PATHS:
            return True
        # Compare all keys, so that the response time reveals nothing.
        key = shown_key(scope["headers"])
        matches = [hmac.compare_digest(key, known) for known in self._known_keys()]
        return any(matches)

    def _known_keys(self) -> list[bytes]:
        """Return the keys, read again when the kubelet has replaced the folder. Without keys, all requests fail."""
        try:
            files = sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))
            seen = [(path.name, (stat := path.stat()).st_mtime_ns, stat.st_ino) for path in files]
            if seen != self._seen:
                self._keys = [key for path in files if (key := path.read_bytes().strip())]
                self._seen = seen
        except FileNotFoundError:
            # The kubelet is replacing the folder: use the previous keys for this request.
            pass
        return self._keys


def shown_key(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the client's key: a bearer token, or the x-api-key header of Anthropic's API (/v1/messages)."""
    found = {name.lower(): value for name, value in reversed(headers)}
    scheme, _, key = found.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return key.strip()
    return b"" if scheme else found.get(b"x-api-key", b"").strip()
