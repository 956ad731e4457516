"""`vllm-eks leftovers`: what AWS still holds of a stack after `pulumi destroy`. It reads, and changes nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vllm_eks.aws.account import Account, place_of
from vllm_eks.aws.names import CLUSTER_NAME
from vllm_eks.cli.views.screen import console
from vllm_eks.errors import WrongQuestion
from vllm_eks.leftovers.owner import Owner
from vllm_eks.leftovers.search import search
from vllm_eks.leftovers.view import as_json, show
from vllm_eks.stack_files.read import StackFile, StackFileError, read_stack_file

NOTHING_LEFT, SOMETHING_LEFT = 0, 1


def run_leftovers(folder: Path, stack: str, *, json_wanted: bool = False) -> int:
    """Print what is left; return 0 when nothing is, 1 when something is or not everything could be asked.

    Raises:
        WrongQuestion: No such stack, no credentials, no such region.
    """
    try:
        file = read_stack_file(folder, stack)
    except StackFileError as error:
        raise WrongQuestion(str(error)) from None
    place = place_of(file.config, f"Pulumi.{stack}.yaml")
    owner = owner_of(file)
    kept = _section(file.config, f"{file.project}:cluster").get("keepLogs") is True
    found = search(Account(place), owner, profile=place.profile, logs_are_kept=kept)
    if json_wanted:
        print(json.dumps(as_json(found), indent=2))
    else:
        show(found, console())
    return NOTHING_LEFT if found.is_clean else SOMETHING_LEFT


def owner_of(file: StackFile) -> Owner:
    """Return whose things are looked for, as a stack file says.

    Raises:
        WrongQuestion: No cluster can have the stack's name.
    """
    name = f"{file.project}-{file.stack}"
    if not CLUSTER_NAME.fullmatch(name):
        raise WrongQuestion(f"EKS refuses {name!r} as a cluster's name, so there was never such a stack")
    network = _section(file.config, f"{file.project}:network").get("existing")
    cluster = _section(file.config, f"{file.project}:cluster").get("existing")
    return Owner(
        name=name,
        # By its name alone, or as {name, securityGroupIds}.
        existing_cluster=_text(cluster.get("name") if isinstance(cluster, dict) else cluster),
        existing_vpc=_text(network.get("vpcId")) if isinstance(network, dict) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _section(config: Mapping[str, str], key: str) -> dict[str, Any]:
    """Return a section of the stack file; one that is wrong counts as empty: it is not judged here."""
    try:
        section = json.loads(config.get(key) or "{}")
    except json.JSONDecodeError:
        return {}
    return section if isinstance(section, dict) else {}
