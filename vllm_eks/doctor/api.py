"""One Kubernetes API server, asked as kubectl would, with calls that only read. Loads the kubernetes client.

Whatever the kubeconfig holds, an answer or a reason is there within seconds, and no token is ever part of a reason.
"""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import kubernetes
import urllib3
import yaml
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

CONNECT_SECONDS, ANSWER_SECONDS = 4, 15
"""A slow engine is not a dead one, so an answer may take longer than the connection."""
COMMAND_SECONDS = 15
"""How long the kubeconfig's own command (aws eks get-token) may take."""
HOW_TO_GET_ONE = "pulumi stack output kubeconfig --show-secrets writes one; give it with --kubeconfig"
_UNUSABLE = (
    *(ConfigException, OSError, yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError),
)
"""What the client raises for a file that is no kubeconfig."""
REFUSALS = {
    401: "the cluster does not know these credentials: is it the stack's profile or role, and among cluster.admins?",
    403: "these credentials lack a permission: docs/how-to/doctor.md lists those that the doctor needs",
}
T = TypeVar("T")


class UnreadableAnswerError(Exception):
    """The API gave no answer; its text says why, and its status what it answered instead."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class KubernetesApi:
    """Asks one API server."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        """Read the kubeconfig, and run the command for credentials that it may name.

        Raises:
            UnreadableAnswerError: There is none, it is no kubeconfig, it names no such context, or its command gave
                nothing.
        """
        said = _Said()
        root = logging.getLogger()
        root.addHandler(said)  # the client tells a failed command to the log alone
        try:
            self._api = _within(COMMAND_SECONDS, lambda: _client(kubeconfig, context))
        except _UNUSABLE as error:
            raise UnreadableAnswerError(
                f"no usable kubeconfig ({_reason(error, kubeconfig)}): {HOW_TO_GET_ONE}"
            ) from None
        finally:
            root.removeHandler(said)
        if said.errors:
            raise UnreadableAnswerError(
                f"the kubeconfig's command gave no credentials ({said.errors[0]}): run it by hand"
            )

    def text(self, path: str, accept: str = "*/*", **query: str | int | bool) -> str:
        """Return what stands at a path. Raises UnreadableAnswerError."""
        try:
            asked = self._api.param_serialize(
                "GET",
                path,
                query_params=list(query.items()),
                header_params={"Accept": accept},
                auth_settings=["BearerToken"],
            )
            answer = self._api.call_api(*asked, _request_timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
            body = answer.read()
        except (ApiException, urllib3.exceptions.HTTPError, OSError, ConfigException, ValueError, TypeError) as error:
            raise UnreadableAnswerError(f"no answer ({_of_the_line(error)})") from None
        if answer.status != 200:
            more = f": {REFUSALS[answer.status]}" if answer.status in REFUSALS else ""
            raise UnreadableAnswerError(f"HTTP {answer.status} {answer.reason}{more}", answer.status)
        return body.decode(errors="replace")

    def object(self, path: str, accept: str = "application/json", **query: str | int | bool) -> Any:  # noqa: ANN401  (JSON)
        """Return the object at a path. Raises UnreadableAnswerError."""
        try:
            found = json.loads(self.text(path, accept, **query))
        except json.JSONDecodeError:
            raise UnreadableAnswerError(
                "what answers there is no Kubernetes API: look at the kubeconfig's server"
            ) from None
        if not isinstance(found, dict):
            raise UnreadableAnswerError("what answers there is no Kubernetes API: look at the kubeconfig's server")
        return found

    def items(self, path: str, accept: str = "application/json", **query: str | int | bool) -> list[Any]:
        """Return the objects of a list. Raises UnreadableAnswerError."""
        return self.object(path, accept, **query).get("items") or []


class _Said(logging.Handler):
    """Keeps what is logged as an error, and prints nothing."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(" ".join(record.getMessage().split())[:200])


def _client(kubeconfig: Path | None, context: str | None) -> Any:  # noqa: ANN401  (the client has no types)
    configuration = kubernetes.client.Configuration()
    # Once is enough: what does not answer now is unknown, and the next question would wait as long again.
    configuration.retries = urllib3.Retry(0)
    return kubernetes.config.new_client_from_config(
        config_file=str(kubeconfig) if kubeconfig else None,
        context=context,
        persist_config=False,
        client_configuration=configuration,
    )


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Return what some work gives. Raises what it raises, or UnreadableAnswerError when it takes longer."""
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
    """Say what is wrong with a kubeconfig, without its text: it holds tokens."""
    file = str(kubeconfig) if kubeconfig else "the default one"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{file} is no YAML, line {error.problem_mark.line + 1}"
    if isinstance(error, (ConfigException, OSError)):
        return str(error).rstrip(".")[:300]
    return f"{file} is not a kubeconfig"


def _of_the_line(error: BaseException) -> str:
    """Say why there was no answer."""
    if isinstance(error, (ValueError, TypeError)) and not isinstance(error, urllib3.exceptions.HTTPError):
        # Its text may be the token.
        return "the kubeconfig has a value that cannot be sent: its token or its server"
    reason = getattr(error, "reason", None) or error
    text = " ".join(str(reason).split())[:300]
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "the server's certificate is not of the kubeconfig's authority: is it the kubeconfig of this cluster?"
    if isinstance(error, urllib3.exceptions.HTTPError) and "refused" in text:
        return f"{text}: is the address right, and the tunnel up?"
    if "timed out" in text or "timeout" in text.lower():
        return f"{text}: is this machine among cluster.publicAccessCidrs, or in the cluster's network?"
    return text
