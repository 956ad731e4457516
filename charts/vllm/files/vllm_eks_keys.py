"""Who may call the model: an ASGI middleware for vLLM's --middleware, with keys read from mounted files.

vLLM's own guard knows one key from its environment, or several on its command line, which it also logs. This one
takes every file of the folder as a key and reads it again when it changes, so that keys rotate while the model runs.
All paths but OPEN_PATHS need a key; vLLM's own guard leaves all outside /v1 open, /invocations and /tokenize too.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

OPEN_PATHS = frozenset({"/health", "/load", "/metrics", "/ping", "/version"})
"""What the probes ask, and no more than what monitoring asks: numbers, never a prompt."""
KEYS_FOLDER = "API_KEYS_FOLDER"
"""Without vLLM's prefix: it warns of variables of that name that it does not know."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ApiKeys:
    """Lets requests with one of the keys pass, and answers 401 to the others."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._folder = Path(os.environ[KEYS_FOLDER])
        self._seen: object = None
        self._keys: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is neither HTTP nor a websocket (start and end of the server) passes."""
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
        # A browser asks what it may send before it sends the key.
        if scope.get("method") == "OPTIONS" or path in OPEN_PATHS:
            return True
        # Every key is compared, so that the time taken tells nothing.
        key = shown_key(scope["headers"])
        matches = [hmac.compare_digest(key, known) for known in self._known_keys()]
        return any(matches)

    def _known_keys(self) -> list[bytes]:
        """Return the keys, read anew when the kubelet has swapped the folder's content. No key lets nobody in."""
        try:
            files = sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))
            seen = [(path.name, (stat := path.stat()).st_mtime_ns, stat.st_ino) for path in files]
            if seen != self._seen:
                self._keys = [key for path in files if (key := path.read_bytes().strip())]
                self._seen = seen
        except FileNotFoundError:
            # In the middle of a swap: the keys of before are good for one more request.
            pass
        return self._keys


def shown_key(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the key a client shows: as a bearer token, or as clients of Anthropic's API (/v1/messages) send it."""
    found = {name.lower(): value for name, value in reversed(headers)}
    scheme, _, key = found.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return key.strip()
    return b"" if scheme else found.get(b"x-api-key", b"").strip()
