"""`vllm-eks pins`: what is pinned, what the account offers, and the way from the one to the other."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vllm_eks.aws.account import Account, place_of
from vllm_eks.cli.views.screen import console, table
from vllm_eks.errors import WrongQuestion
from vllm_eks.pins.eks import DEFAULT_KUBERNETES_VERSION, SUPPORTED_KUBERNETES_VERSIONS
from vllm_eks.pins.offered import with_offers
from vllm_eks.pins.pinned import KUBERNETES, Pin, cluster_pins, other_pins, stated
from vllm_eks.pins.written import write_pins
from vllm_eks.program import check_stack_file
from vllm_eks.stack_files.read import read_stack_file

NOTHING_TO_MOVE, SOMETHING_TO_MOVE = 0, 1


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
        raise WrongQuestion(f"this release makes nodes of Kubernetes {known}, not of {version}: write one of them")
    pins, not_asked = list(cluster_pins(file, version)), ""
    try:
        account = Account(place_of(file.config, f"Pulumi.{file.stack}.yaml"))
        pins = list(with_offers(pins, account, version))
    except WrongQuestion as fault:
        if write:
            raise
        not_asked = str(fault)
        pins = [replace(pin, remark="AWS could not be asked") for pin in pins]
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
            json.dumps(_as_json(everything, version, file.stack, written) | {"not_asked": not_asked or None}, indent=2)
        )
    else:
        _show(everything, version, written, f"Pulumi.{file.stack}.yaml", not_asked)
    may_move = any(pin.moves or pin.offered is None for pin in pins if pin.key not in written)
    return SOMETHING_TO_MOVE if may_move else NOTHING_TO_MOVE


def _must_be_known(chosen: Sequence[Pin]) -> None:
    """Refuse half a set: an AMI release and add-ons fit each other by their Kubernetes version."""
    unknown = [f"{pin.key}: {pin.remark or 'not known'}" for pin in chosen if pin.offered is None]
    if unknown:
        lines = "".join(f"\n  {line}" for line in unknown)
        raise WrongQuestion(f"nothing is written, since a part of the set is not known:{lines}")


def _show(pins: Sequence[Pin], version: str, written: Sequence[str], file_name: str, not_asked: str) -> None:
    out = console()
    print(f"Pins for Kubernetes {version}: of this release, in {file_name}, and the newest that AWS offers.\n")
    rows = table(out, "pin", "this release", "stack file", "offered", "remark")
    for pin in pins:
        remark = f"written; {pin.remark}".rstrip("; ") if pin.key in written else pin.remark
        rows.add_row(pin.key, pin.released or "-", pin.in_stack or "-", pin.offered or "?", remark)
    out.print(rows)
    if not_asked:
        print(f"\nAWS could not be asked: {not_asked}")
    if written:
        print(
            f"\n{len(written)} written into {file_name}. docs/how-to/edits.md says what each does; run pulumi preview"
        )


def _as_json(pins: Sequence[Pin], version: str, stack: str, written: Sequence[str]) -> dict[str, Any]:
    """Return the whole as one object: its keys are a contract, others may be added, none goes away."""
    return {
        "stack": stack,
        "kubernetes_version": version,
        "pins": [
            {
                "key": pin.key,
                "this_release": pin.released,
                "stack_file": pin.in_stack,
                "offered": pin.offered,
                "moves": pin.moves,
                "written": pin.key in written,
                "remark": pin.remark or None,
            }
            for pin in pins
        ],
    }
