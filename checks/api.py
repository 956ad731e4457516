"""Read-only access to the AWS account through boto3, and a substitute when there is no account.

Pulumi's lookups cannot read a node group's health, the vCPUs in use or a security group's rules, and they wait as long
as the provider retries. So the checks use boto3 with the stack's profile and role and with time limits, after Pulumi's
provider has returned the account that it deploys to.
"""

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pulumi_aws as aws

from vllm_eks.aws.session import Client, Record, open_session
from vllm_eks.check import OFFLINE_REASON
from vllm_eks.specs.access import Deployer

Told = TypeVar("Told")

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 15, 3
"""Limits of one request. An unreachable service (no VPC endpoint, a proxy) takes at most a minute."""

SESSION_NAME = "vllm-eks-checks"


class NoAccountError(Exception):
    """No account is available. The message says why."""


class Api(Protocol):
    """Calls AWS. Both methods raise boto3's errors, or NoAccountError."""

    @property
    def caller_arn(self) -> str:
        """The deployer's ARN from STS. Raises NoAccountError."""
        ...

    def answer(self, service: str, operation: str, **asked: object) -> Record:
        """Return the response to one call, such as ("eks", "describe_cluster", name=...)."""
        ...

    def pages(self, service: str, operation: str, key: str, **asked: object) -> list[Any]:
        """Return the items under `key` on all pages of a response."""
        ...


@dataclass(frozen=True)
class NoAccount:
    """A substitute for an account that is not available."""

    reason: str

    @property
    def caller_arn(self) -> str:
        """Raise NoAccountError, as all methods do."""
        raise NoAccountError(self.reason)

    def answer(self, service: str, operation: str, **asked: object) -> Record:
        """Raise NoAccountError."""
        raise NoAccountError(self.reason)

    def pages(self, service: str, operation: str, key: str, **asked: object) -> list[Any]:
        """Raise NoAccountError."""
        raise NoAccountError(self.reason)


def is_offline(account: Api) -> bool:
    """Return whether this is an offline preview, which contacts nothing."""
    return isinstance(account, NoAccount) and account.reason == OFFLINE_REASON


class CachedAccount:
    """Makes each call once and caches the response. Safe from several threads."""

    def __init__(self, client: Callable[[str], Client], caller_arn: str) -> None:
        """Take a function that creates a boto3 client by service name, called once for each, and the deployer's ARN."""
        self.caller_arn = caller_arn
        self._make_client = client
        self._clients: dict[str, Client] = {}
        self._answers: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()

    def answer(self, service: str, operation: str, **asked: object) -> Record:
        """Return the response to one call."""
        return self._once(service, operation, asked, lambda client: getattr(client, operation)(**asked))

    def pages(self, service: str, operation: str, key: str, **asked: object) -> list[Any]:
        """Return the items under `key` on all pages of a response."""

        def read(client: Client) -> list[Any]:
            if not client.can_paginate(operation):
                return list(getattr(client, operation)(**asked).get(key, ()))
            return [one for page in client.get_paginator(operation).paginate(**asked) for one in page.get(key, ())]

        return self._once(service, f"{operation} {key}", asked, read)

    def _once(self, service: str, name: str, asked: Mapping[str, object], call: Callable[[Client], Told]) -> Told:
        question = f"{service} {name} {json.dumps(asked, sort_keys=True)}"
        with self._lock:
            known = self._answers.get(question)
            future = self._answers.setdefault(question, Future())
        if known is None:
            try:
                future.set_result(call(self._client(service)))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def _client(self, service: str) -> Client:
        # Creating a client is not thread-safe.
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]


def open_account(deployer: Deployer) -> Api:
    """Return the account that Pulumi's AWS provider deploys to, or a substitute with the reason."""
    try:
        deploys_as = aws.get_caller_identity()
    except Exception as error:  # Pulumi has no narrower type for provider errors
        offline = OFFLINE_REASON in str(error)
        return NoAccount(OFFLINE_REASON if offline else f"no valid AWS credentials: {error}")
    try:
        client = _clients_of(deployer)
        found = client("sts").get_caller_identity()["Account"]
    except Exception as error:
        return NoAccount(f"boto3 has no valid AWS credentials: {error}")
    if found != deploys_as.account_id:
        return NoAccount(
            f"boto3 has credentials of account {found}, and Pulumi deploys to {deploys_as.account_id}: set the same "
            "profile or role in aws:profile, aws:assumeRoles or the environment"
        )
    return CachedAccount(client, deploys_as.arn)


def _clients_of(deployer: Deployer) -> Callable[[str], Client]:
    # Imported here, because boto3 takes half a second and an offline preview does not need it.
    from botocore.config import Config

    limits = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    session = open_session(deployer, session_name=SESSION_NAME, config=limits)
    return lambda service: session.client(service, config=limits)
