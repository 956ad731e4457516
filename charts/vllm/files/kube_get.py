"""Reads the Kubernetes API from inside a pod, with the pod's service account. Standard library only."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

API_TIMEOUT_SECONDS = 10
LOG_LINES = 400
TEMPORARY_ERRORS = (OSError, ValueError, http.client.HTTPException)
"""Errors that may be temporary. urllib raises HTTP statuses as OSError."""


@dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """One namespace of an API server."""

    url: str
    credentials: Path
    """The folder with the service account's token and the server's certificate."""
    namespace: str

    def core(self, path: str) -> Any:  # noqa: ANN401  (JSON)
        """Get a path of the namespace in the core group. Raises one of TEMPORARY_ERRORS."""
        return self._json(f"/api/v1/namespaces/{self.namespace}/{path}")

    def leader_worker_set(self, name: str) -> Any:  # noqa: ANN401  (JSON)
        """Get a LeaderWorkerSet. Raises one of TEMPORARY_ERRORS."""
        return self._json(
            f"/apis/leaderworkerset.x-k8s.io/v1/namespaces/{self.namespace}/leaderworkersets/{name}",
        )

    def log(self, pod: str, *, container: str = "", before: bool = False) -> str:
        """Get the end of a container's log, or its previous run's with `before`. Raises one of TEMPORARY_ERRORS."""
        query = f"tailLines={LOG_LINES}&limitBytes=1000000" + (f"&container={container}" if container else "")
        query += "&previous=true" if before else ""
        with self._call(f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log?{query}") as answer:
            return answer.read().decode(errors="replace")

    def _json(self, path: str) -> Any:  # noqa: ANN401  (JSON)
        with self._call(path) as answer:
            return json.load(answer)

    def _call(self, path: str) -> http.client.HTTPResponse:
        url = self.url + path
        # Read the token each time, because the kubelet renews it.
        token = (self.credentials / "token").read_text().strip()
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        tls = None
        if url.startswith("https:"):
            tls = ssl.create_default_context(cafile=str(self.credentials / "ca.crt"))
        return urllib.request.urlopen(request, timeout=API_TIMEOUT_SECONDS, context=tls)
