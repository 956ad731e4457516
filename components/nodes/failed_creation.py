"""Detects a node group whose creation failed, which the next `pulumi up` would treat as created."""

import pulumi
import pulumi_aws as aws

FAILED = (None, "", "CREATE_FAILED")
"""Statuses of a group that was never ACTIVE. After a failed creation the provider keeps the group in the state without
a status, and a refresh sets CREATE_FAILED."""


def id_when_active(group: aws.eks.NodeGroup) -> pulumi.Output[str]:
    """Return the group's ID, or stop resources that need it if the group's creation failed.

    The engine stores the failure as an initialization error of the resource. The next `pulumi up` clears it without
    asking AWS, so the group would count as created. `replace_on_changes=["#initerror"]` would replace it, but also a
    group whose *update* failed, along with nodes that serve.
    """
    return pulumi.Output.all(group.id, group.status, group.urn).apply(_checked_id)


def _checked_id(facts: list[str | None]) -> str:
    group_id, status, urn = facts
    if status in FAILED:
        raise pulumi.RunError(
            f"node group {group_id}: an earlier pulumi up could not create it (usually because EC2 had no capacity), "
            f"and it is still not ACTIVE. aws eks describe-nodegroup shows why; pulumi up --replace '{urn}' deletes "
            f"it and tries again."
        )
    return str(group_id)
