"""`vllm-eks leftovers`: lists resources that remain in AWS after `pulumi destroy`. Read-only."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from vllm_eks.aws.account import Account, deployer_of
from vllm_eks.aws.names import CLUSTER_NAME
from vllm_eks.cli.options import as_json, exit_with, stack_folder
from vllm_eks.cli.views.leftovers import leftovers_json, show_leftovers
from vllm_eks.cli.views.screen import console
from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object
from vllm_eks.leftovers.owner import Owner
from vllm_eks.leftovers.search import search
from vllm_eks.stack_files.read import StackFile, StackFileError, read_stack_file

NOTHING_LEFT, SOMETHING_LEFT = 0, 1


@click.command(
    "leftovers",
    epilog="Exit status: 0 nothing is left, 1 something may be left, 2 the command or a file is invalid.",
)
@click.option("--stack", metavar="STACK", required=True, help="The destroyed stack. Its Pulumi.<stack>.yaml is read.")
@stack_folder
@as_json
def command(stack: str, folder: Path, as_json: bool) -> None:
    """List the resources of a destroyed stack that remain in AWS. Read-only."""
    exit_with(run_leftovers(folder, stack, json_wanted=as_json))


def run_leftovers(folder: Path, stack: str, *, json_wanted: bool = False) -> int:
    """Print the remaining resources. Return 0 if there are none, or 1 if there are some or some kinds could not be
    listed.

    Raises:
        WrongQuestion: The stack or the region does not exist, or there are no credentials.
    """
    try:
        file = read_stack_file(folder, stack)
    except StackFileError as error:
        raise WrongQuestion(str(error)) from None
    deployer = deployer_of(file.config, f"Pulumi.{stack}.yaml")
    owner = owner_of(file)
    kept = file.section("cluster").get("keepLogs") is True
    found = search(Account(deployer), owner, profile=deployer.profile, logs_are_kept=kept)
    if json_wanted:
        print(json.dumps(leftovers_json(found), indent=2))
    else:
        show_leftovers(found, console())
    return NOTHING_LEFT if found.is_clean else SOMETHING_LEFT


def owner_of(file: StackFile) -> Owner:
    """Return the owner of the resources, from the stack file.

    Raises:
        WrongQuestion: The stack's name is not valid for a cluster.
    """
    name = f"{file.project}-{file.stack}"
    if not CLUSTER_NAME.fullmatch(name):
        raise WrongQuestion(f"EKS does not accept the cluster name {name!r}, so this stack cannot exist")
    network = file.section("network").get("existing")
    cluster = file.section("cluster").get("existing")
    return Owner(
        name=name,
        # Either the name alone, or {name, securityGroupIds}.
        existing_cluster=_text(cluster.get("name") if is_object(cluster) else cluster),
        existing_vpc=_text(network.get("vpcId")) if is_object(network) else None,
        hosted_zone=_text(file.section("endpoint").get("hostedZoneId")),
        hostnames=frozenset(_hostnames(file)),
        existing_workspace=_workspace(file),
    )


def _hostnames(file: StackFile) -> Iterator[str]:
    domain = _text(file.section("endpoint").get("domain"))
    for name, model in file.section("models").items():
        own = _text(model.get("hostname")) if is_object(model) else None
        if own or domain:
            yield (own or f"{name}.{domain}").lower()


def _workspace(file: StackFile) -> str | None:
    """Return the ID of the existing workspace, from its ARN."""
    arn = _text(file.section("observability").get("workspaceArn"))
    return arn.rpartition("/")[2] if arn else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
