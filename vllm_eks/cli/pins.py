"""`vllm-eks pins`: shows pinned versions and newer ones in AWS, and updates the pins."""

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
    epilog="Exit status: 0 all pins are the newest, 1 a pin is not or is unknown, 2 the command or a file is invalid.",
)
@click.option("--stack", metavar="STACK", default="dev", help="The stack. Its Pulumi.<stack>.yaml is read.")
@stack_folder
@click.option(
    "--kubernetes-version",
    metavar="VERSION",
    help="The Kubernetes minor version, such as 1.36. Default: the stack's.",
)
@click.option("--write", is_flag=True, help="Write the newest versions to the stack file.")
@as_json
def command(stack: str, folder: Path, kubernetes_version: str | None, write: bool, as_json: bool) -> None:
    """Show the pinned versions and the newest ones in AWS. --write updates the pins."""
    exit_with(run_pins(folder, stack, kubernetes_version=kubernetes_version, write=write, json_wanted=as_json))


def run_pins(
    folder: Path, stack: str, *, kubernetes_version: str | None = None, write: bool = False, json_wanted: bool = False
) -> int:
    """Print the pins. Return 0 if all are the newest known, or 1 if one can be updated or is unknown.

    Args:
        folder: The folder of Pulumi.yaml.
        stack: The stack whose file is read and written.
        kubernetes_version: The minor version for the whole set, or None for the stack's own.
        write: Whether to write the newest versions to the stack file.
        json_wanted: Whether to print one JSON object.

    Raises:
        WrongQuestion: An invalid stack file or version, nothing to write, or a file that cannot be written.
    """
    file = read_stack_file(folder, stack)
    check_stack_file(folder, file.for_offline_preview())
    own_version = str(stated(file, KUBERNETES) or DEFAULT_KUBERNETES_VERSION)
    version = kubernetes_version or own_version
    if version not in SUPPORTED_KUBERNETES_VERSIONS:
        known = " and ".join(SUPPORTED_KUBERNETES_VERSIONS)
        raise WrongQuestion(f"this release supports nodes of Kubernetes {known}, not {version}: choose one of them")
    pins, not_asked = list(cluster_pins(file, version)), ""
    try:
        account = Account(deployer_of(file.config, f"Pulumi.{file.stack}.yaml"))
        pins = list(with_offers(pins, account, version))
    except WrongQuestion as error:
        if write:
            raise
        not_asked = str(error)
        pins = [replace(pin, remark="AWS could not be queried") for pin in pins]
    # The control plane is only updated on request, because EKS cannot undo an upgrade after a week.
    chosen = [pin for pin in pins if pin.key != KUBERNETES]
    if version != own_version:
        chosen += [replace(pin, offered=version) for pin in pins if pin.key == KUBERNETES]
        changes = [pin for pin in chosen if pin.offered != pin.used]
    else:
        changes = [pin for pin in chosen if pin.moves]
    if write:
        _require_whole_set(chosen)
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


def _require_whole_set(chosen: Sequence[Pin]) -> None:
    """Refuse a partial set, because an AMI release and add-ons must match the Kubernetes version."""
    unknown = [f"{pin.key}: {pin.remark or 'unknown'}" for pin in chosen if pin.offered is None]
    if unknown:
        lines = "".join(f"\n  {line}" for line in unknown)
        raise WrongQuestion(f"nothing was written, because some versions are unknown:{lines}")
