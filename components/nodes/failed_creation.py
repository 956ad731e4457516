"""A node group whose creation failed must not pass for one on the next `pulumi up`."""

import pulumi
import pulumi_aws as aws

FAILED = (None, "", "CREATE_FAILED")
"""Statuses of a group that never was ACTIVE. The provider keeps a group whose creation failed in the state without a
status; a refresh finds CREATE_FAILED."""


def once_active(group: aws.eks.NodeGroup) -> pulumi.Output[str]:
    """Return the group's id; stop whatever is made from it where the group's creation failed.

    The engine keeps the failure as an initialization error of the resource, which the next `pulumi up` clears without
    asking AWS: the group would count as made. `replace_on_changes=["#initerror"]` would replace it, but also a
    group whose *update* failed, and with it nodes that serve.
    """
    return pulumi.Output.all(group.id, group.status, group.urn).apply(_id_of_an_active_one)


def _id_of_an_active_one(facts: list[str | None]) -> str:
    group_id, status, urn = facts
    if status in FAILED:
        raise pulumi.RunError(
            f"node group {group_id}: an earlier pulumi up could not create it (most often EC2 had no capacity), and it "
            f"still is not ACTIVE. aws eks describe-nodegroup tells why; pulumi up --replace '{urn}' deletes it and "
            "tries again."
        )
    return str(group_id)
