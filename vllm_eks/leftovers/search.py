"""Lists all kinds of resources one by one. A kind that cannot be listed is reported and does not stop the others."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from vllm_eks.aws.account import Account
from vllm_eks.aws.errors import PermissionDeniedError
from vllm_eks.errors import WrongQuestion
from vllm_eks.leftovers import ec2, front_door, identity, monitoring, services
from vllm_eks.leftovers.blockers import KINDS, Blocker, blockers
from vllm_eks.leftovers.found import Found, Leftovers
from vllm_eks.leftovers.owner import Owner

Thing = TypeVar("Thing")

ALIVE = ("ACTIVE", "CREATING", "UPDATING", "PENDING")


def search(account: Account, owner: Owner, *, profile: str | None = None, logs_are_kept: bool = False) -> Leftovers:
    """Return the stack's resources that still exist in the account.

    Args:
        account: The account.
        owner: The stack.
        profile: The AWS profile for the printed commands.
        logs_are_kept: Whether the stack file keeps the log groups.

    Raises:
        WrongQuestion: There are no credentials, or AWS refuses them.
    """
    # All valid credentials allow this call. A failure after it concerns only one kind.
    number = account.answer("sts", "get_caller_identity")["Account"]
    asked = _Asked()
    clusters = asked.collect("cluster", lambda: services.clusters(account, owner))
    groups = asked.collect("node group", lambda: services.node_groups(account, owner))
    vpcs = asked.collect("VPC", lambda: ec2.listed(account, owner, ec2.NETWORK))
    instances = asked.collect("instance", lambda: ec2.instances(account, owner))
    own_vpcs, own_instances = {one.id for one in vpcs}, {one.id for one in instances}
    asked.collect(
        "network interface", lambda: ec2.interfaces(account, owner, vpcs=own_vpcs, own_instances=own_instances)
    )
    for listing in ec2.LISTINGS:
        asked.collect(listing.kind, lambda listing=listing: ec2.listed(account, owner, listing))
    own_groups = {one.id for one in asked.found if one.kind == "security group"}
    asked.collect("security group rule", lambda: front_door.group_rules(account, owner, own_groups=own_groups))
    asked.collect("record", lambda: front_door.records(account, owner))
    asked.collect("classic load balancer", lambda: services.classic_load_balancers(account, owner))
    asked.collect("load balancer", lambda: services.load_balancers(account, owner))
    asked.collect("target group", lambda: services.target_groups(account, owner))
    asked.collect("auto scaling group", lambda: services.auto_scaling_groups(account, owner))
    asked.collect("log group", lambda: services.log_groups(account, owner, kept=logs_are_kept))
    workspaces = asked.collect("workspace", lambda: monitoring.workspaces(account, owner))
    own_workspaces = {one.id for one in workspaces}
    asked.collect("rule namespace", lambda: monitoring.rule_namespaces(account, owner, own_workspaces=own_workspaces))
    asked.collect("pod identity association", lambda: identity.associations(account, owner))
    asked.collect("IAM role", lambda: identity.pod_roles(account, owner))
    asked.collect("KMS key", lambda: services.keys(account, owner))
    in_use = _in_use(owner, clusters, groups)
    return Leftovers(
        name=owner.name,
        region=account.region,
        account=number,
        options={"--region": account.region} | ({"--profile": profile} if profile else {}),
        found=asked.found,
        not_asked=asked.not_asked,
        in_the_way=[] if in_use else _in_the_way(account, asked, own_vpcs),
        in_use=in_use,
    )


def _in_the_way(account: Account, asked: "_Asked", vpcs: set[str]) -> list[Blocker]:
    """Return resources of others in the stack's VPCs, which prevent the deletion of the VPCs."""
    own = {one.id for one in asked.found}
    kinds = KINDS if vpcs else ()
    found = [
        blocker
        for kind in kinds
        for blocker in asked.look(f"{kind.name} of others", lambda kind=kind: blockers(account, kind, vpcs, own))
    ]
    return list({blocker.id: blocker for blocker in found}.values())


class _Asked:
    """The resources found so far, and the kinds that could not be listed."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.not_asked: dict[str, str] = {}

    def collect(self, kind: str, ask: Callable[[], Iterable[Found]]) -> list[Found]:
        """Record and return the results of `ask`, up to the first error of AWS."""
        mine = self.look(kind, ask)
        self.found += mine
        return mine

    def look(self, kind: str, ask: Callable[[], Iterable[Thing]]) -> list[Thing]:
        """Return the results of `ask`, up to the first error of AWS."""
        mine: list[Thing] = []
        try:
            # Not list(), so that the results before an error are kept.
            for one in ask():
                mine.append(one)
        except PermissionDeniedError as error:
            self.not_asked[kind] = f"no permission for {error.action}"
        except WrongQuestion as error:
            self.not_asked[kind] = str(error).rstrip(".")
        return mine


def _in_use(owner: Owner, clusters: list[Found], groups: list[Found]) -> str:
    in_use = "the listed resources are in use, not left over"
    for cluster in clusters:
        if cluster.remark in ALIVE:
            return f"The cluster {cluster.id} still exists ({cluster.remark}): {in_use}."
        if cluster.remark == "DELETING":
            return f"The cluster {cluster.id} is being deleted: run this again when it is gone."
    if groups and owner.existing_cluster:
        return f"The stack still has node groups in the cluster {owner.existing_cluster}: {in_use}."
    return ""
