"""The account of a stack, asked with calls that only read. Loads boto3: imported by the command that asks."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.config import Config

from vllm_eks.aws.errors import told
from vllm_eks.aws.session import Client, Record, open_session
from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object
from vllm_eks.specs.access import Deployer

SESSION_NAME = "vllm-eks-leftovers"
RETRIES = Config(retries={"mode": "standard"})

IAM_PREFIXES = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}
"""Where IAM calls a service otherwise than boto3 does."""

PAGE_SIZES = {"ec2": 200}
"""Where an answer comes whole, and may be too much for one, unless a size is asked for."""


def deployer_of(config: Mapping[str, str], file_name: str) -> Deployer:
    """Return where the stack of a stack file lives, and as whom it is asked about.

    Raises:
        WrongQuestion: It names no region, or more than one role.
    """
    region = config.get("aws:region")
    if not region:
        raise WrongQuestion(f"{file_name} has no aws:region: there is no telling where the stack was")
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
    """Asks AWS as the stack's own provider does: same region, profile and role. For commands: errors are sentences.

    The checks of a deployment have a reader of their own (`checks.api`): theirs asks each question once, from several
    threads, within seconds, and hands on what boto3 raises, since a check says of each error what it means there.
    """

    def __init__(self, deployer: Deployer) -> None:
        """Open a session as the stack's deployer.

        Raises:
            WrongQuestion: There is no such profile, or the role may not be taken.
        """
        self.region = deployer.region
        self._clients: dict[str, Any] = {}
        with told("sts:AssumeRole", deployer.region):
            self._session = open_session(deployer, session_name=SESSION_NAME, config=RETRIES)

    def pages(self, service: str, operation: str, key: str, **asked: object) -> Iterator[Record]:
        """Yield what stands under `key` on every page of an answer.

        Raises:
            NotAllowed: The credentials lack the permission.
            WrongQuestion: AWS did not answer.
        """
        for answer in self._answers(service, operation, asked):
            yield from answer.get(key, ())

    def names(self, service: str, operation: str, key: str, **asked: str) -> list[str]:
        """Return what stands under `key` where that is plain names; raises as `pages` does."""
        return [name for answer in self._answers(service, operation, asked) for name in answer[key]]

    def _answers(self, service: str, operation: str, asked: Mapping[str, object]) -> Iterator[Record]:
        with told(self.action(service, operation), self.region):
            client = self._client(service)
            if client.can_paginate(operation):
                size = {"PageSize": PAGE_SIZES[service]} if service in PAGE_SIZES else {}
                yield from client.get_paginator(operation).paginate(**asked, PaginationConfig=size)
            else:
                yield getattr(client, operation)(**asked)

    def answer(self, service: str, operation: str, **asked: str | Sequence[str]) -> Record:
        """Return the answer to a single call; raises as `pages` does."""
        with told(self.action(service, operation), self.region):
            return getattr(self._client(service), operation)(**asked)

    def action(self, service: str, operation: str) -> str:
        """Return a call as IAM names it, such as ec2:DescribeVolumes."""
        # No operation asked here holds an abbreviation, which boto3 would spell otherwise.
        name = "".join(word.capitalize() for word in operation.split("_"))
        return f"{IAM_PREFIXES.get(service, service)}:{name}"

    def _client(self, service: str) -> Client:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, region_name=self.region, config=RETRIES)
        return self._clients[service]


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
