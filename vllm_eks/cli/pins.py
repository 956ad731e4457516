"""`vllm-eks pins`: what is pinned, what the account offers, and the way from the one to the other."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from vllm_eks.aws.account import Account, deployer_of
from vllm_eks.cli.options import as_json, exit_with, stack_folder
from vllm_eks.cli.views.pins import pins_json, show_pins
from vllm_eks.errors import WrongQuestion
from vllm_eks.pins.eks import DEFAULT_KUBERNETES_VERSION, SUPPORTED_KUBERNETES_VERSIONS
from vllm_eks.pins.offered import with_offers
from vllm_eks.pins.pinned import KUBERNETES, Pin, cluster_pins, other_pins, stated
from vllm_eks.pins.written import write_pins
from vllm_eks.program import check_stack_file
from vllm_eks.stack_files.read import read_stack_file

NOTHING_TO_MOVE, SOMETHING_TO_MOVE = 0, 1


@click.command(
    "pins",
    epilog="Exit status: 0 all pins are the newest, 1 one is not or is unknown, 2 the command or a file is wrong.",
)
@click.option("--stack", metavar="STACK", default="dev", help="The stack whose Pulumi.<stack>.yaml is read.")
@stack_folder
@click.option(
    "--kubernetes-version",
    metavar="VERSION",
    help="The minor version the set is for, such as 1.36. Default: the stack's.",
)
@click.option("--write", is_flag=True, help="Write the offered versions into the stack file.")
@as_json
def command(stack: str, folder: Path, kubernetes_version: str | None, write: bool, as_json: bool) -> None:
    """Show the pinned versions and those that AWS offers; --write moves the pins."""
    exit_with(run_pins(folder, stack, kubernetes_version=kubernetes_version, write=write, json_wanted=as_json))


def run_pins(
    folder: Path, stack: str, *, kubernetes_version: str | None = None, write: bool = False, json_wanted: bool = False
) -> int:
    """Print the pins; return 0 where all are the newest known, 1 where one may move or could not be asked about.

    Args:
        folder: The folder that holds Pulumi.yaml.
        stack: The stack whose file is read, and written.
        kubernetes_version: The minor version that the set is for; None: the stack's own.
        write: Whether the offered versions go into the stack file.
        json_wanted: Whether one JSON object is printed.

    Raises:
        WrongQuestion: A wrong stack file or version; nothing to write; a file that cannot be written.
    """
    file = read_stack_file(folder, stack)
    check_stack_file(folder, file.for_offline_preview())
    own_version = str(stated(file, KUBERNETES) or DEFAULT_KUBERNETES_VERSION)
    version = kubernetes_version or own_version
    if version not in SUPPORTED_KUBERNETES_VERSIONS:
        known = " and ".join(SUPPORTED_KUBERNETES_VERSIONS)
        raise WrongQuestion(f"this release supports nodes of Kubernetes {known}, not {version}: choose one of these")
    pins, not_asked = list(cluster_pins(file, version)), ""
    try:
        account = Account(deployer_of(file.config, f"Pulumi.{file.stack}.yaml"))
        pins = list(with_offers(pins, account, version))
    except WrongQuestion as fault:
        if write:
            raise
        not_asked = str(fault)
        pins = [replace(pin, remark="AWS could not be queried") for pin in pins]
    # The control plane moves only when somebody asks for it: EKS upgrades, and takes back for a week at most.
    chosen = [pin for pin in pins if pin.key != KUBERNETES]
    if version != own_version:
        chosen += [replace(pin, offered=version) for pin in pins if pin.key == KUBERNETES]
        changes = [pin for pin in chosen if pin.offered != pin.used]
    else:
        changes = [pin for pin in chosen if pin.moves]
    if write:
        _must_be_known(chosen)
    written = write_pins(folder, file.stack, changes, file) if write else []
    everything = [*pins, *other_pins(file)]
    if json_wanted:
        print(
            json.dumps(pins_json(everything, version, file.stack, written) | {"not_asked": not_asked or None}, indent=2)
        )
    else:
        show_pins(everything, version, written, f"Pulumi.{file.stack}.yaml", not_asked)
    may_move = any(pin.moves or pin.offered is None for pin in pins if pin.key not in written)
    return SOMETHING_TO_MOVE if may_move else NOTHING_TO_MOVE


def _must_be_known(chosen: Sequence[Pin]) -> None:
    """Refuse half a set: an AMI release and add-ons fit each other by their Kubernetes version."""
    unknown = [f"{pin.key}: {pin.remark or 'not known'}" for pin in chosen if pin.offered is None]
    if unknown:
        lines = "".join(f"\n  {line}" for line in unknown)
        raise WrongQuestion(f"nothing is written, because a part of the set is unknown:{lines}")
