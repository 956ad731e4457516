"""One request through the load balancer, as a client would make it, and what its result means. Without Pulumi."""

import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Literal
from urllib.parse import urlsplit

LIMIT_SECONDS = 300
"""New targets are healthy after about 30 s, and an alias record is visible after 60 s (Route 53's own figure)."""
PAUSE_SECONDS = 10
"""Route 53's resolvers and the load balancer's health checks change no faster."""
REQUEST_SECONDS = 15
LOAD_BALANCER = "awselb/"
"""The Server header of answers that the load balancer gives itself."""

Result = Literal["answered", "unreachable", "wrong"]
"""`unreachable`: this machine cannot tell. `wrong`: no client gets an answer, or a wrong one."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """The front door of one model."""

    model: str
    url: str
    """Such as https://llama.models.example.com."""
    balancer: str
    """The DNS name of the load balancer."""
    has_record: bool
    """Whether the stack creates the DNS record."""

    @property
    def host(self) -> str:
        """The DNS name of the model."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The result of a request. The text never contains the key."""

    result: Result
    text: str
    passes: bool = False
    """Whether it may be another one soon, so that it is worth another try."""


def first_request(
    door: Door,
    key: str,
    *,
    tls: ssl.SSLContext | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """Ask for the list of models until there is an answer, or until more tries are of no use.

    Args:
        door: The front door.
        key: A valid API key.
        tls: How to check the certificate. By default with this machine's authorities.
        clock: The time in seconds.
        sleep: Waits for seconds.
    """
    began = clock()
    tls = tls or ssl.create_default_context()
    while True:
        answer = ask_once(door, key, tls)
        if not answer.passes or clock() - began + PAUSE_SECONDS > LIMIT_SECONDS:
            return answer
        sleep(PAUSE_SECONDS)


def ask_once(door: Door, key: str, tls: ssl.SSLContext) -> Answer:
    """Make one request, and return what its result means."""
    request = urllib.request.Request(f"{door.url}/v1/models", headers={"Authorization": f"Bearer {key}"})
    handlers = (_NoRedirect(), urllib.request.HTTPSHandler(context=tls))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=REQUEST_SECONDS) as response:
            return _of_body(door, response)
    except urllib.error.HTTPError as error:
        with error:
            return _of_status(door, error.code, error.headers.get("Server") or "")
    except urllib.error.URLError as error:
        return _of_failure(door, error.reason)
    except TimeoutError:
        # Not inside a URLError: the connection exists, and only the answer is missing.
        text = f"{door.host} accepts requests and does not answer within {REQUEST_SECONDS} s: vllm-eks doctor"
        return Answer(result="wrong", text=text, passes=True)
    except (OSError, http.client.HTTPException) as error:
        return _of_failure(door, error)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, so that the key goes to no other server."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Return nothing, which makes the redirect an HTTPError."""
        return


def _of_body(door: Door, response: http.client.HTTPResponse) -> Answer:
    """Check that the answer is from the model, and not from a server that answers 200 to everything."""
    try:
        listed = json.loads(response.read(1_000_000))
        names = [one["id"] for one in listed["data"]]
    except (ValueError, KeyError, TypeError):
        text = f"{door.host} answers, but not as vLLM does: the name leads to another server"
        return Answer(result="wrong", text=f"{text}; {_dns(door)}")
    if door.model not in names:
        text = (
            f"{door.host} answers as {', '.join(map(str, names))}, not as {door.model}: the name leads to another model"
        )
        # After an edit of hostnames, the rules of the models change one by one.
        return Answer(result="wrong", text=f"{text}; {_dns(door)}", passes=True)
    return Answer(result="answered", text=f"{door.url} answers")


def _of_status(door: Door, status: int, server: str) -> Answer:
    if not server.startswith(LOAD_BALANCER):
        if status == http.client.UNAUTHORIZED:
            text = f"{door.host} refuses the stack's key (401): pods read a changed key within two minutes; "
            text += f"if it persists: vllm-eks doctor, and kubectl --namespace vllm-{door.model} get secrets"
            return Answer(result="wrong", text=text, passes=True)
        return Answer(result="wrong", text=f"{door.host} answers with status {status}: vllm-eks doctor", passes=True)
    if status == http.client.SERVICE_UNAVAILABLE:
        return Answer(
            result="wrong",
            text=f"the load balancer has no healthy pod of {door.model} (503). Look, in this order: is a leader ready "
            f"(vllm-eks doctor); is it registered (kubectl --namespace vllm-{door.model} describe "
            f"targetgroupbindings); does it answer the load balancer (aws elbv2 describe-target-health: Target.Timeout "
            f"means that a NetworkPolicy or a security group stops port 8000)",
            passes=True,
        )
    if status in (http.client.BAD_GATEWAY, http.client.GATEWAY_TIMEOUT):
        text = f"the load balancer got no answer from {door.model} ({status}): vllm-eks doctor"
        return Answer(result="wrong", text=text, passes=True)
    if status == http.client.FORBIDDEN:
        text = f"the web ACL refuses the request of this machine (403): look at the sampled requests of {door.host}"
        return Answer(result="unreachable", text=text)
    if status == http.client.NOT_FOUND:
        text = f"the load balancer has no rule for {door.host} (404): the name leads to another load balancer"
        return Answer(result="wrong", text=f"{text}, or the rule is new; {_dns(door)}", passes=True)
    return Answer(result="wrong", text=f"the load balancer answers with status {status} for {door.host}", passes=True)


def _of_failure(door: Door, reason: object) -> Answer:
    if isinstance(reason, socket.gaierror):
        return Answer(result="unreachable", text=_unresolved(door), passes=door.has_record)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _of_certificate(door, reason)
    if isinstance(reason, TimeoutError):
        text = f"{door.host} does not answer this machine: it is not in endpoint.sourceRanges, or it is outside the VPC"
        return Answer(result="unreachable", text=f"{text} of an internal load balancer; {_by_hand(door)}")
    text = f"this machine cannot connect to {door.host} ({reason}); {_by_hand(door)}"
    return Answer(result="unreachable", text=text)


HOSTNAME_MISMATCH, EXPIRED = 62, 10
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_CERT_HAS_EXPIRED (x509_vfy.h)."""


def _of_certificate(door: Door, error: ssl.SSLCertVerificationError) -> Answer:
    if error.verify_code == HOSTNAME_MISMATCH:
        text = f"the certificate at {door.host} is for other names: endpoint.certificateArn does not cover it, or the "
        return Answer(result="wrong", text=f"{text}name leads to another server; {_dns(door)}")
    if error.verify_code == EXPIRED:
        text = f"the certificate at {door.host} has expired: renew it in ACM (aws acm describe-certificate)"
        return Answer(result="wrong", text=text)
    text = f"this machine does not trust the certificate at {door.host} ({error.verify_message})"
    return Answer(result="unreachable", text=f"{text}; clients need its authority; {_by_hand(door)}")


def _unresolved(door: Door) -> str:
    if door.has_record:
        text = (
            f"{door.host} does not resolve on this machine yet, although its record exists: wait a minute, and check "
        )
        return (
            f"{text}that the zone's name servers are those of its domain (dig NS), or that a private zone is this VPC's"
        )
    return f"{door.host} does not resolve: create the DNS record {door.host} CNAME {door.balancer}"


def _dns(door: Door) -> str:
    return f"it must lead to {door.balancer} (dig {door.host})"


def _by_hand(door: Door) -> str:
    where = "" if door.has_record else f"{_dns(door)}; "
    return f"{where}from a client: curl {door.url}/health"
