"""Lists the stack's Pod Identity associations in an existing cluster, and the roles of Pod Identity."""

from collections.abc import Iterator
from typing import Any

from vllm_eks.aws.account import Account
from vllm_eks.aws.session import tags_of
from vllm_eks.json_values import is_object, list_or_empty
from vllm_eks.leftovers.found import Found
from vllm_eks.leftovers.owner import Owner

POD_IDENTITY = "pods.eks.amazonaws.com"


def associations(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the stack's associations in an existing cluster, which still give pods a role. Others are deleted with
    their cluster."""
    cluster = owner.existing_cluster
    if not cluster or cluster not in account.names("eks", "list_clusters", "clusters"):
        return
    for listed in account.pages("eks", "list_pod_identity_associations", "associations", clusterName=cluster):
        id_ = listed["associationId"]
        answer = account.answer("eks", "describe_pod_identity_association", clusterName=cluster, associationId=id_)
        if why := owner.why(answer["association"].get("tags", {})):
            removal = ("eks", "delete-pod-identity-association", "--cluster-name", cluster, "--association-id", id_)
            remark = f"{listed['namespace']}/{listed['serviceAccount']} in {cluster}"
            yield Found(kind="pod identity association", id=id_, why=why, removal=(removal,), remark=remark)


def pod_roles(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the stack's roles that Pod Identity assumes. They cost nothing, but they give access."""
    for record in account.pages("iam", "list_roles", "Roles"):
        # An account has up to thousands of roles, and each one's tags need a separate request.
        if not _is_for_pods(record.get("AssumeRolePolicyDocument")):
            continue
        name = record["RoleName"]
        if why := owner.why(tags_of(list(account.pages("iam", "list_role_tags", "Tags", RoleName=name)))):
            yield Found(kind="IAM role", id=name, why=why, removal=_removal(account, name))


def _is_for_pods(trust: Any) -> bool:  # noqa: ANN401  (JSON of any form)
    statements = list_or_empty(trust.get("Statement")) if is_object(trust) else []
    principals = [one.get("Principal") for one in statements if is_object(one)]
    return any(POD_IDENTITY in str(one.get("Service")) for one in principals if is_object(one))


def _removal(account: Account, name: str) -> tuple[tuple[str, ...], ...]:
    # A role with policies cannot be deleted.
    attached = account.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)
    inline = account.names("iam", "list_role_policies", "PolicyNames", RoleName=name)
    return (
        *(("iam", "detach-role-policy", "--role-name", name, "--policy-arn", one["PolicyArn"]) for one in attached),
        *(("iam", "delete-role-policy", "--role-name", name, "--policy-name", one) for one in inline),
        ("iam", "delete-role", "--role-name", name),
    )
