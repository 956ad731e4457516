"""Fixtures for the tests of `vllm-eks leftovers`: a moto account, its resources, and a run of the command.

boto3 and moto are imported inside the functions, because together they take seconds and only these tests need them.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.aws_wire import Wire, WiredSession
from tests.fakes.planted_aws import Gardener
from tests.fakes.planted_stacks import plant_ours, plant_strange_network, plant_strangers

PLACEMENT_GROUPS = "ec2.DescribePlacementGroups"
ROLES = "iam.ListRoles"
FULL = "us-west-2"
"""The region of all resources. Each test that needs another account uses another region."""

KINDS = (
    "classic load balancer",
    "load balancer",
    "target group",
    "auto scaling group",
    "instance",
    "NAT gateway",
    "VPC endpoint",
    "network interface",
    "address",
    "volume",
    "security group rule",
    "security group",
    "launch template",
    "placement group",
    "log group",
    "workspace",
    "subnet",
    "route table",
    "internet gateway",
    "VPC",
    "IAM role",
    "KMS key",
)
"""All kinds, in the order of removal, except the cluster and what depends on the stack file."""

Gardens = Callable[[str], Gardener]
Planted = tuple[list[dict[str, Any]], set[str]]


@dataclass
class Said:
    """The exit status and the output of a run."""

    status: int
    out: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def ids(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in self.json["left"]:
            found.setdefault(one["kind"], []).append(one["id"])
        return found


Ask = Callable[..., Said]


@pytest.fixture(scope="module")
def session() -> Iterator[WiredSession]:
    """One session for all tests, because each new one reads the models of seven services again."""
    import boto3
    from cryptography.hazmat.primitives.asymmetric import rsa
    from moto import mock_aws
    from moto.core.utils import method_names_from_class

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        # No test encrypts, so one private key serves all keys. Moto also looks up its methods again at each call.
        patch.setattr("moto.kms.utils.rsa.generate_private_key", cache(rsa.generate_private_key))
        patch.setattr("moto.core.responses.method_names_from_class", cache(method_names_from_class))
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        yield WiredSession(boto3.Session())


@pytest.fixture(scope="module")
def garden(session: WiredSession) -> Gardens:
    """Creates the resources of a region."""
    return lambda region: Gardener(lambda service: session.client(service, region_name=region))


@pytest.fixture(scope="module")
def full(garden: Gardens) -> Planted:
    """Resources of the stack of every kind, and resources of others, with placement groups and the IDs of others."""
    gardener = garden(FULL)
    plant_ours(gardener)
    strangers = plant_strangers(gardener)
    elsewhere = garden(FULL)
    return gardener.placement_groups, strangers | plant_strange_network(elsewhere)


@pytest.fixture(scope="module")
def ours(garden: Gardens) -> Planted:
    """Only resources of the stack, of every kind, for tests of the calls and not of ownership."""
    gardener = garden(FULL)
    plant_ours(gardener)
    return gardener.placement_groups, set()


@pytest.fixture
def wire() -> Wire:
    # IAM has no regions, so only the full account shows its roles.
    return Wire(pages={PLACEMENT_GROUPS: [{"PlacementGroups": []}], ROLES: [{"Roles": []}]})


@pytest.fixture
def ask(
    session: WiredSession,
    wire: Wire,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Ask:
    """Run the command for a stack file with a region, or with the given lines."""

    def run(region: str, *lines: str, stack: str = "dev", as_json: bool = True) -> Said:
        from vllm_eks.cli.leftovers import run_leftovers

        first = region if ":" in region else f"aws:region: {region}"
        text = "\n".join(["config:", *(f"  {line}" for line in (first, *lines))])
        (folder / f"Pulumi.{stack}.yaml").write_text(text)
        monkeypatch.setattr("boto3.Session", lambda **_: session)
        with session.held(wire):
            status = run_leftovers(folder, stack, json_wanted=as_json)
        return Said(status, capsys.readouterr().out)

    return run


def full_account(wire: Wire, full: Planted) -> None:
    """Make the account answer for placement groups, which moto lacks, and show its roles."""
    del wire.pages[ROLES]
    wire.pages[PLACEMENT_GROUPS] = [{"PlacementGroups": full[0]}]
