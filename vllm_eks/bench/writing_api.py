"""A Kubernetes API server that is also written to: the objects of one benchmark are created and deleted."""

import json
from collections.abc import Mapping

from vllm_eks.doctor.api import KubernetesApi, UnreadableAnswerError
from vllm_eks.json_values import object_or_empty

JSON = {"Accept": "application/json", "Content-Type": "application/json"}
NOT_FOUND, ALREADY_EXISTS = 404, 409


class WritingApi(KubernetesApi):
    """Reads from one API server, and creates and deletes objects."""

    def create(self, path: str, made: Mapping[str, object]) -> dict[str, object]:
        """Create an object in the list at a path, and return it as the server stored it.

        Raises:
            UnreadableAnswerError: The server refused it, or did not answer.
        """
        return object_or_empty(json.loads(self._answer("POST", path, JSON, body=made)))

    def delete(self, path: str) -> None:
        """Delete the object at a path, and in the background what it owns. A missing object is no error.

        Raises:
            UnreadableAnswerError: The server refused it, or did not answer.
        """
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        try:
            self._answer("DELETE", path, JSON, body=options)
        except UnreadableAnswerError as error:
            if error.status != NOT_FOUND:
                raise
