"""Counts requests, tokens and refusals of each client in vLLM's own /metrics, and writes a log line for each request.

The metrics never have a key as a label, only the name of its client. prometheus_client is part of vLLM. With several
API servers, it adds up the processes' counters by itself (PROMETHEUS_MULTIPROC_DIR, which vLLM sets).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from prometheus_client import Counter

from vllm_eks.pods.client_keys import UNKNOWN_CLIENT

REQUESTS = Counter(
    "vllm_eks_client_requests",
    "Requests by client and HTTP status. 499: the client left before the end of the response.",
    ["client", "status"],
)
TOKENS = Counter(
    "vllm_eks_client_tokens",
    "Tokens by client. Kind: prompt, generation. Includes those of requests that did not end.",
    ["client", "kind"],
)
REFUSALS = Counter(
    "vllm_eks_client_refusals",
    "Refused requests. Reason: no_key, unknown_key (client unknown), model (the client may not use this model).",
    ["client", "reason"],
)
NO_KEY, UNKNOWN_KEY, WRONG_MODEL = "no_key", "unknown_key", "model"
CLIENT_LEFT = 499
"""nginx's status for a request whose client closed the connection. HTTP has none."""
MAX_PATH_CHARACTERS = 200

# A child of vLLM's own logger, which has the format and the level of vLLM's log.
_log = logging.getLogger("vllm.vllm_eks_keys")


class RequestUsage:
    """One request of a client: its tokens, and its line in the log."""

    __slots__ = ("_began", "_client", "_generation", "_prompt", "_scope")

    def __init__(self, client: str, scope: Mapping[str, Any]) -> None:
        self._client, self._scope = client, scope
        self._prompt = self._generation = 0
        self._began = time.perf_counter()

    def add(self, *, prompt: int = 0, generation: int = 0) -> None:
        """Add tokens to the client's metrics."""
        if prompt:
            self._prompt += prompt
            _tokens(self._client, "prompt").inc(prompt)
        if generation:
            self._generation += generation
            _tokens(self._client, "generation").inc(generation)

    def end(self, status: int) -> None:
        """Count the request and log it."""
        _requests(self._client, status).inc()
        _log.info(
            "client=%s %s status=%d prompt_tokens=%d generation_tokens=%d seconds=%.3f",
            self._client,
            _shown(self._scope),
            status,
            self._prompt,
            self._generation,
            time.perf_counter() - self._began,
        )


def refuse(scope: Mapping[str, Any], *, client: str, status: int, reason: str) -> None:
    """Count and log a refused request."""
    _requests(client, status).inc()
    REFUSALS.labels(client, reason).inc()
    _log.info("client=%s %s status=%d refused=%s", client, _shown(scope), status, reason)


def _shown(scope: Mapping[str, Any]) -> str:
    """Return the request for the log. A client chooses the path, so characters that could forge a line are quoted."""
    path = quote(scope.get("path", "")[:MAX_PATH_CHARACTERS])
    host = (scope.get("client") or ("-",))[0]
    return f"from={host} method={scope.get('method', 'WEBSOCKET')} path={path}"


# Looking up a labelled metric takes a microsecond, so each is kept.
_kept: dict[tuple[str, object], Counter] = {}


def _requests(client: str, status: int) -> Counter:
    key = client, status
    if key not in _kept:
        _kept[key] = REQUESTS.labels(client, str(status))
    return _kept[key]


def _tokens(client: str, kind: str) -> Counter:
    key = client, kind
    if key not in _kept:
        _kept[key] = TOKENS.labels(client, kind)
    return _kept[key]


# From the first scrape on, so that an increase over the first refusal is visible.
for _reason in (NO_KEY, UNKNOWN_KEY):
    REFUSALS.labels(UNKNOWN_CLIENT, _reason)
