"""Read-only access to a Kubernetes API server with a kubeconfig. Imports the kubernetes client.

Each call returns an answer or a reason within seconds, whatever the kubeconfig contains. A reason never contains a
token.
"""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import kubernetes
import urllib3
import yaml
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from vllm_eks.json_values import is_object

CONNECT_SECONDS, ANSWER_SECONDS = 4, 15
"""An answer may take longer than the connection, because a slow engine is not dead."""
COMMAND_SECONDS = 15
"""Limit for the kubeconfig's command (aws eks get-token)."""
HOW_TO_GET_ONE = "pulumi stack output kubeconfig --show-secrets prints one; pass it with --kubeconfig"
_UNUSABLE = (
    *(ConfigException, OSError, yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError),
)
"""The client's errors for a file that is not a kubeconfig."""
REFUSALS = {
    401: "the cluster rejects these credentials: use the stack's profile or role, and check cluster.admins",
    403: "these credentials lack a permission: docs/how-to/doctor.md lists the required ones",
}
T = TypeVar("T")


class UnreadableAnswerError(Exception):
    """The API gave no usable answer. The text has the reason, and `status` the HTTP status if there was one."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class KubernetesApi:
    """Reads from one API server."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        """Read the kubeconfig, and run its command for credentials if it has one.

        Raises:
            UnreadableAnswerError: The kubeconfig is missing or invalid, lacks the context, or its command failed.
        """
        logged = _LoggedErrors()
        root = logging.getLogger()
        root.addHandler(logged)  # the client only logs a failed command
        try:
            self._api = _within(COMMAND_SECONDS, lambda: _client(kubeconfig, context))
        except _UNUSABLE as error:
            raise UnreadableAnswerError(
                f"no usable kubeconfig ({_reason(error, kubeconfig)}): {HOW_TO_GET_ONE}"
            ) from None
        finally:
            root.removeHandler(logged)
        if logged.errors:
            raise UnreadableAnswerError(
                f"the kubeconfig's command gave no credentials ({logged.errors[0]}): run it by hand"
            )

    def text(self, path: str, accept: str = "*/*", **query: str | int | bool) -> str:
        """Return the text at a path. Raises UnreadableAnswerError."""
        return self._answer("GET", path, {"Accept": accept}, query=list(query.items()))

    def _answer(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        *,
        query: Sequence[tuple[str, str | int | bool]] = (),
        body: object = None,
    ) -> str:
        """Return the text of an answer with status 200 or 201. Raises UnreadableAnswerError."""
        try:
            asked = self._api.param_serialize(
                method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer = self._api.call_api(*asked, _request_timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
            text = answer.read()
        except (ApiException, urllib3.exceptions.HTTPError, OSError, ConfigException, ValueError, TypeError) as error:
            raise UnreadableAnswerError(f"no answer ({_of_the_line(error)})") from None
        if answer.status not in (200, 201):
            more = f": {REFUSALS[answer.status]}" if answer.status in REFUSALS else ""
            raise UnreadableAnswerError(f"HTTP {answer.status} {answer.reason}{more}", answer.status)
        return text.decode(errors="replace")

    def object(self, path: str, accept: str = "application/json", **query: str | int | bool) -> dict[str, Any]:
        """Return the object at a path. Raises UnreadableAnswerError."""
        try:
            found: object = json.loads(self.text(path, accept, **query))
        except json.JSONDecodeError:
            raise UnreadableAnswerError("the server is not a Kubernetes API: check the kubeconfig's server") from None
        if not is_object(found):
            raise UnreadableAnswerError("the server is not a Kubernetes API: check the kubeconfig's server")
        return found

    def items(self, path: str, accept: str = "application/json", **query: str | int | bool) -> list[Any]:
        """Return the objects of a list. Raises UnreadableAnswerError."""
        return self.object(path, accept, **query).get("items") or []


class _LoggedErrors(logging.Handler):
    """Collects logged errors without printing them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(" ".join(record.getMessage().split())[:200])


def _client(kubeconfig: Path | None, context: str | None) -> Any:  # noqa: ANN401  (the client has no types)
    configuration = kubernetes.client.Configuration()
    # No retries: a failed call is reported as unknown, and the next call would wait as long again.
    configuration.retries = urllib3.Retry(0)
    return kubernetes.config.new_client_from_config(  # pyright: ignore[reportUnknownMemberType]  (its parameters have no types)
        config_file=str(kubeconfig) if kubeconfig else None,
        context=context,
        persist_config=False,
        client_configuration=configuration,
    )


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Return the result of some work. Raises its errors, or UnreadableAnswerError when it takes longer."""
    given: list[T] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            given.append(work())
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not given:
        raise UnreadableAnswerError(f"the kubeconfig's command did not end within {seconds:g} s: run it by hand")
    return given[0]


def _reason(error: Exception, kubeconfig: Path | None) -> str:
    """Return the error in a kubeconfig, without its content, which includes tokens."""
    file = str(kubeconfig) if kubeconfig else "the default one"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{file} is not valid YAML, line {error.problem_mark.line + 1}"
    if isinstance(error, (ConfigException, OSError)):
        return str(error).rstrip(".")[:300]
    return f"{file} is not a kubeconfig"


def _of_the_line(error: BaseException) -> str:
    """Return why there was no answer."""
    if isinstance(error, (ValueError, TypeError)) and not isinstance(error, urllib3.exceptions.HTTPError):
        # The error's text may contain the token.
        return "the kubeconfig has an invalid token or server"
    reason = getattr(error, "reason", None) or error
    text = " ".join(str(reason).split())[:300]
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "the server's certificate does not match the kubeconfig's authority: use this cluster's kubeconfig"
    if isinstance(error, urllib3.exceptions.HTTPError) and "refused" in text:
        return f"{text}: check the address, and the tunnel if there is one"
    if "timed out" in text or "timeout" in text.lower():
        return f"{text}: add this machine's address to cluster.publicAccessCidrs, or run from the cluster's network"
    return text
