"""Checks API keys and counts by client: an ASGI middleware for vLLM's --middleware, with keys from mounted files.

vLLM's own check takes one key from its environment, or several on its command line, which it also logs. This one reads
them from a mounted Secret (client_keys.py), and again when it changes, so that keys change while the model runs. All
paths except OPEN_PATHS need a key. vLLM's own check leaves all paths outside /v1 open, even /invocations and /tokenize.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

if __name__ == "vllm_eks_keys":
    # Loaded by vLLM from its own folder. The other scripts are a package in the same pod.
    sys.path.append("/scripts")

from vllm_eks.pods.client_counts import CLIENT_LEFT, NO_KEY, UNKNOWN_KEY, WRONG_MODEL, RequestUsage, refuse
from vllm_eks.pods.client_keys import UNKNOWN_CLIENT, Client, ClientKeys
from vllm_eks.pods.engine_tokens import CURRENT, EngineTokens, Tally, warn_unknown

OPEN_PATHS = frozenset({"/health"})
"""The paths that are open to all: probes and load balancers have no key."""
OWN_PATHS = frozenset({"/load", "/metrics"})
"""The paths that the pod itself may read without a key. They show how much a model is used, and by whom."""
LOOPBACK = frozenset({"127.0.0.1", "::1"})
PREFLIGHT = frozenset({b"origin", b"access-control-request-method"})
"""Headers of a preflight request (Fetch standard, CORS protocol)."""
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
"""Headers of proxies. A proxy in the pod forwards requests of others, and uvicorn can take the address from them."""
KEYS_FOLDER = "API_KEYS_FOLDER"
"""Has no VLLM_ prefix, because vLLM warns about unknown variables with that prefix."""

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ApiKeys:
    """Passes requests of known clients. Others get 401, and 403 on a model that they may not use."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._keys = ClientKeys(Path(os.environ[KEYS_FOLDER]))
        self._engine: object = None
        self._tokens: EngineTokens | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Messages other than HTTP and websocket (server start and stop) pass."""
        if scope["type"] not in ("http", "websocket") or _is_open(scope):
            await self._app(scope, receive, send)
            return
        key = shown_key(scope["headers"])
        client = self._keys.find(key)
        if client is None:
            refuse(scope, client=UNKNOWN_CLIENT, status=401, reason=UNKNOWN_KEY if key else NO_KEY)
            await _answer(scope, send, 401, "Unauthorized")
        elif not client.may_use_model:
            refuse(scope, client=client.name, status=403, reason=WRONG_MODEL)
            await _answer(scope, send, 403, f"The client {client.name} may not use this model")
        else:
            self._find_engine(scope)
            await self._serve(client, scope, receive, send)

    async def _serve(self, client: Client, scope: Scope, receive: Receive, send: Send) -> None:
        usage = RequestUsage(client.name, scope)
        response, tally, tokens = Response(receive, send), Tally(usage), self._tokens
        CURRENT.set(tally if tokens else None)
        try:
            await self._app(scope, response.receive, response.send)
        finally:
            CURRENT.set(None)
            if tokens:
                tokens.count(tally)
            usage.end(response.status)

    def _find_engine(self, scope: Scope) -> None:
        """Count the tokens of the engine client, from the first request on. Starlette puts itself into the scope."""
        engine: Any = getattr(getattr(scope.get("app"), "state", None), "engine_client", None)
        if engine is self._engine:
            return
        self._engine, self._tokens = engine, None
        try:
            self._tokens = EngineTokens(engine)
        except AttributeError as error:
            warn_unknown(error)


class Response:
    """The end of a response, as seen by the server and by its client."""

    __slots__ = ("_left", "_receive", "_watched", "send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._left = False
        self.send, self._watched = watch(send)

    async def receive(self) -> Message:
        """Pass on a message of the client, and notice when it leaves."""
        message = await self._receive()
        # uvicorn also says this after the end of a response.
        if message["type"] in ("http.disconnect", "websocket.disconnect") and not self._has_ended():
            self._left = message["type"] == "http.disconnect"
        return message

    @property
    def status(self) -> int:
        """The status for the metrics: 499 when the client left, and 500 without a response."""
        first, _ = self._watched()
        if self._left:
            return CLIENT_LEFT
        return first.get("status") or {"websocket.accept": 101, "websocket.close": 403}.get(first.get("type", ""), 500)

    def _has_ended(self) -> bool:
        _, last = self._watched()
        return last.get("type") == "http.response.body" and not last.get("more_body")


def watch(send: Send) -> tuple[Send, Callable[[], tuple[Message, Message]]]:
    """Return a function that passes on messages to the client, and one that returns the first and the last of them.

    A stream has a message for each token. A closure that only keeps it costs half of a method that reads it.
    """
    first: Message = {}
    last: Message | None = None

    def watched(message: Message) -> Awaitable[None]:
        nonlocal first, last
        if last is None:
            first = message
        last = message
        return send(message)

    return watched, lambda: (first, last or first)


def _is_open(scope: Scope) -> bool:
    # Only exact paths. Other spellings (//metrics, /metrics/) need a key, even if vLLM answers them.
    path = str(scope["path"]).removeprefix(scope.get("root_path", "") or "")
    return path in OPEN_PATHS or _is_preflight(scope) or (path in OWN_PATHS and _is_from_this_pod(scope))


def _is_preflight(scope: Scope) -> bool:
    """Return whether a browser asks, without the key, if it may send a request: vLLM's CORSMiddleware answers that.

    Any other OPTIONS would get the answer of the path, and /metrics answers every method.
    """
    return scope.get("method") == "OPTIONS" and {name.lower() for name, _ in scope["headers"]} >= PREFLIGHT


def _is_from_this_pod(scope: Scope) -> bool:
    peer = scope.get("client")
    return bool(peer) and peer[0] in LOOPBACK and not any(name.lower() in FORWARDED for name, _ in scope["headers"])


async def _answer(scope: Scope, send: Send, status: int, error: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})


def shown_key(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the client's key: a bearer token, or the x-api-key header of Anthropic's API (/v1/messages)."""
    found = {name.lower(): value for name, value in reversed(headers)}
    scheme, _, key = found.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return key.strip()
    return b"" if scheme else found.get(b"x-api-key", b"").strip()
