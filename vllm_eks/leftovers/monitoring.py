"""Lists the workspaces of Amazon Managed Service for Prometheus, and the stack's rules in them."""

from collections.abc import Iterator

from vllm_eks.aws.account import Account
from vllm_eks.leftovers.found import Found
from vllm_eks.leftovers.owner import Owner


def workspaces(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the stack's workspaces. Their rules and metrics are deleted with them."""
    for record in account.pages("amp", "list_workspaces", "workspaces"):
        if why := owner.why(record.get("tags", {})):
            id_ = record["workspaceId"]
            removal = ("amp", "delete-workspace", "--workspace-id", id_)
            # Billed by the stored samples.
            yield Found(
                kind="workspace",
                id=id_,
                why=why,
                removal=(removal,),
                is_free=False,
                remark=f"alias {record['alias']}" if record.get("alias") else "",
            )


def rule_namespaces(account: Account, owner: Owner, *, own_workspaces: set[str]) -> Iterator[Found]:
    """Yield the stack's rules in an existing workspace."""
    if not owner.existing_workspace or owner.existing_workspace in own_workspaces:
        return
    workspace = owner.existing_workspace
    for record in account.pages("amp", "list_rule_groups_namespaces", "ruleGroupsNamespaces", workspaceId=workspace):
        if why := owner.why(record.get("tags", {})):
            name = record["name"]
            removal = ("amp", "delete-rule-groups-namespace", "--workspace-id", workspace, "--name", name)
            yield Found(kind="rule namespace", id=name, why=why, removal=(removal,), remark=f"in {workspace}")
