"""Read-only access to a stack's AWS account. Imports boto3, so only commands that need AWS import it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.config import Config

from vllm_eks.aws.errors import aws_errors_explained
from vllm_eks.aws.session import Client, Record, open_session
from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object
from vllm_eks.specs.access import Deployer

SESSION_NAME = "vllm-eks-leftovers"
LIMITS = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard"})
"""With three attempts, an unreachable service takes half a minute."""

IAM_PREFIXES = {"amp": "aps", "elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}
"""Services whose IAM prefix differs from their boto3 name."""

PAGE_SIZES = {"ec2": 200}
"""Page sizes of operations that otherwise return everything at once."""


def deployer_of(config: Mapping[str, str], file_name: str) -> Deployer:
    """Return the region and identity of a stack's AWS provider, from its stack file.

    Raises:
        WrongQuestion: It has no region, or more than one role.
    """
    region = config.get("aws:region")
    if not region:
        raise WrongQuestion(f"{file_name} has no aws:region, so the region of the stack is unknown")
    profile = config.get("aws:profile") or None
    roles = _decoded(config.get("aws:assumeRoles") or "[]")
    if roles == []:
        return Deployer(region=region, profile=profile)
    role = roles[0] if is_list(roles) and len(roles) == 1 else None
    arn = role.get("roleArn") if is_object(role) else None
    if not (is_object(role) and isinstance(arn, str)):
        raise WrongQuestion(f"aws:assumeRoles of {file_name} must be one role, [{{roleArn: ...}}]")
    external = role.get("externalId")
    return Deployer(
        region=region, profile=profile, role_arn=arn, external_id=None if external is None else str(external)
    )


class Account:
    """Calls AWS as the stack's provider does: with the same region, profile and role. For commands: errors are
    sentences.

    The checks of a deployment have their own client (`checks.api`). It makes each call once, from several threads and
    within seconds, and raises boto3's errors, because a check knows what each error means.
    """

    def __init__(self, deployer: Deployer) -> None:
        """Open a session with the identity of the stack's AWS provider.

        Raises:
            WrongQuestion: The profile does not exist, or the role cannot be assumed.
        """
        self.region = deployer.region
        self._clients: dict[str, Any] = {}
        with aws_errors_explained("sts:AssumeRole", deployer.region):
            self._session = open_session(deployer, session_name=SESSION_NAME, config=LIMITS)

    def pages(self, service: str, operation: str, key: str, **asked: object) -> Iterator[Record]:
        """Yield the items under `key` on all pages of a response.

        Raises:
            PermissionDeniedError: The credentials lack the permission.
            WrongQuestion: AWS did not answer.
        """
        for answer in self._answers(service, operation, asked):
            yield from answer.get(key, ())

    def names(self, service: str, operation: str, key: str, **asked: str) -> list[str]:
        """Return the items under `key` if they are plain names. Raises the same errors as `pages`."""
        return [name for answer in self._answers(service, operation, asked) for name in answer[key]]

    def _answers(self, service: str, operation: str, asked: Mapping[str, object]) -> Iterator[Record]:
        with aws_errors_explained(self.action(service, operation), self.region):
            client = self._client(service)
            if client.can_paginate(operation):
                size = {"PageSize": PAGE_SIZES[service]} if service in PAGE_SIZES else {}
                yield from client.get_paginator(operation).paginate(**asked, PaginationConfig=size)
            else:
                yield getattr(client, operation)(**asked)

    def answer(self, service: str, operation: str, **asked: str | int | Sequence[str]) -> Record:
        """Return the response to one call. Raises the same errors as `pages`."""
        with aws_errors_explained(self.action(service, operation), self.region):
            return getattr(self._client(service), operation)(**asked)

    def action(self, service: str, operation: str) -> str:
        """Return the IAM action of a call, such as ec2:DescribeVolumes."""
        # None of the operations used here contains an abbreviation, which boto3 spells differently.
        name = "".join(word.capitalize() for word in operation.split("_"))
        return f"{IAM_PREFIXES.get(service, service)}:{name}"

    def _client(self, service: str) -> Client:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, region_name=self.region, config=LIMITS)
        return self._clients[service]


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
