"""Lists a stack's resources in other services: EKS, load balancers, auto scaling groups, logs and KMS keys."""

from collections.abc import Iterator, Sequence

from vllm_eks.aws.account import Account
from vllm_eks.aws.errors import PermissionDeniedError
from vllm_eks.aws.session import Record, tags_of
from vllm_eks.leftovers.found import Found
from vllm_eks.leftovers.owner import Owner
from vllm_eks.leftovers.prices import (
    CLASSIC_LOAD_BALANCER,
    CONTROL_PLANE,
    KEY,
    LOAD_BALANCER,
    LOGS,
    Cost,
    cost,
)
from vllm_eks.specs.logs import log_group_of

BATCH_SIZE = 20
"""Load balancers or target groups per request for tags."""

GB = 10**9
PROTECTION = "deletion_protection.enabled"
"""The attribute of a load balancer, which `cluster.deletionProtection` sets."""


def clusters(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the stack's own cluster, the one with its exact name, unless it has another owner."""
    if owner.name not in account.names("eks", "list_clusters", "clusters"):
        return
    record = account.answer("eks", "describe_cluster", name=owner.name)["cluster"]
    if why := owner.why(record.get("tags", {}), named=f"name {owner.name}"):
        yield Found(
            kind="cluster",
            id=owner.name,
            why=why,
            removal=(("eks", "delete-cluster", "--name", owner.name),),
            cost=cost(CONTROL_PLANE),
            remark=record["status"],
        )


def node_groups(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the node groups of the stack's own cluster, and its own in an existing cluster."""
    names = {owner.name, owner.existing_cluster or owner.name}
    for cluster in sorted(names.intersection(account.names("eks", "list_clusters", "clusters"))):
        for name in account.names("eks", "list_nodegroups", "nodegroups", clusterName=cluster):
            asked = {"clusterName": cluster, "nodegroupName": name}
            record = account.answer("eks", "describe_nodegroup", **asked)["nodegroup"]
            named = f"in the cluster {cluster}" if cluster == owner.name else None
            if why := owner.why(record.get("tags", {}), named=named):
                removal = ("eks", "delete-nodegroup", "--cluster-name", cluster, "--nodegroup-name", name)
                remark = f"{record['status']}, in {cluster}"
                yield Found(kind="node group", id=name, why=why, removal=(removal,), remark=remark)


def classic_load_balancers(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the load balancers of Services of type LoadBalancer."""
    balancers = account.pages("elb", "describe_load_balancers", "LoadBalancerDescriptions")
    for names in _batches([record["LoadBalancerName"] for record in balancers]):
        answer = account.answer("elb", "describe_tags", LoadBalancerNames=names)
        for described in answer["TagDescriptions"]:
            if why := owner.why(tags_of(described["Tags"])):
                name = described["LoadBalancerName"]
                removal = ("elb", "delete-load-balancer", "--load-balancer-name", name)
                yield _paid("classic load balancer", name, why, removal, cost(CLASSIC_LOAD_BALANCER))


def load_balancer_reasons(account: Account, owner: Owner) -> Iterator[tuple[str, str]]:
    """Yield the ARN of each of the stack's load balancers, with the reason that it is the stack's."""
    for record, why in _tagged(account, owner, "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"):
        yield record["LoadBalancerArn"], why


def load_balancers(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the application and network load balancers."""
    for record, why in _tagged(account, owner, "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"):
        arn = record["LoadBalancerArn"]
        # A gateway load balancer has another price, and no controller of the stack creates one.
        priced = cost(LOAD_BALANCER) if record["Type"] in ("application", "network") else None
        yield Found(
            kind="load balancer",
            id=record["LoadBalancerName"],
            why=why,
            removal=(
                *_without_protection(account, arn),
                ("elbv2", "delete-load-balancer", "--load-balancer-arn", arn),
            ),
            cost=priced,
            is_free=False,
        )


def _without_protection(account: Account, arn: str) -> Iterator[tuple[str, ...]]:
    """Yield the command that turns off deletion protection, if AWS would refuse to delete the load balancer."""
    answer = account.answer("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=arn)
    attributes = {one["Key"]: one["Value"] for one in answer["Attributes"]}
    if attributes.get(PROTECTION) == "true":
        change = ("modify-load-balancer-attributes", "--load-balancer-arn", arn)
        yield ("elbv2", *change, "--attributes", f"Key={PROTECTION},Value=false")


def target_groups(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the target groups of load balancers."""
    for record, why in _tagged(account, owner, "describe_target_groups", "TargetGroups", "TargetGroupArn"):
        removal = ("elbv2", "delete-target-group", "--target-group-arn", record["TargetGroupArn"])
        yield Found(kind="target group", id=record["TargetGroupName"], why=why, removal=(removal,))


def auto_scaling_groups(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield EKS's groups for node groups. As long as one exists, it starts new instances."""
    for record in account.pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
        if why := owner.why(tags_of(record.get("Tags"))):
            name = record["AutoScalingGroupName"]
            removal = ("autoscaling", "delete-auto-scaling-group", "--force-delete", "--auto-scaling-group-name", name)
            remark = f"desired capacity {record['DesiredCapacity']}"
            yield Found(kind="auto scaling group", id=name, why=why, removal=(removal,), remark=remark)


def log_groups(account: Account, owner: Owner, *, kept: bool) -> Iterator[Found]:
    """Yield the log groups of the control plane and of the models, by exact name, and of the flow logs, by its tag.

    Args:
        account: The account.
        owner: The stack.
        kept: Whether the stack file keeps them after the stack.
    """
    named = (f"/aws/eks/{owner.name}/cluster", log_group_of(owner.name))
    # Pulumi adds random letters to the name of the flow logs' group. The prefix only saves requests.
    for prefix in (*named, f"{owner.name}-flow-logs-log-group"):
        for record in account.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            name = record["logGroupName"]
            arn = record["arn"].removesuffix(":*")
            tags = account.answer("logs", "list_tags_for_resource", resourceArn=arn).get("tags", {})
            if why := owner.why(tags, named=f"name {name}" if name in named else None):
                removal = ("logs", "delete-log-group", "--log-group-name", name)
                remark = "kept by cluster.keepLogs" if kept else ""
                paid = cost(LOGS, record.get("storedBytes", 0) / GB)
                yield Found(kind="log group", id=name, why=why, removal=(removal,), cost=paid, remark=remark)


def keys(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the key of the Kubernetes secrets, by its tag or alias.

    Raises:
        PermissionDeniedError: Some keys cannot be read. Raised after all other keys were read.
    """
    alias = f"alias/eks/{owner.name}"
    aliases = account.pages("kms", "list_aliases", "Aliases")
    named = {one.get("TargetKeyId"): f"alias {alias}" for one in aliases if one["AliasName"] == alias}
    ids = [record["KeyId"] for record in account.pages("kms", "list_keys", "Keys")]
    refused: list[str] = []
    for id_ in ids:
        try:
            yield from _key(account, owner, id_, named.get(id_))
        except PermissionDeniedError as error:
            # A key's policy can deny access to everyone, so continue with the other keys.
            refused.append(error.action)
    if refused:
        action = f"{refused[0]} on {len(refused)} of {len(ids)} keys"
        raise PermissionDeniedError(f"these AWS credentials may not call {action}", action)


def _key(account: Account, owner: Owner, id_: str, named: str | None) -> Iterator[Found]:
    facts = account.answer("kms", "describe_key", KeyId=id_)["KeyMetadata"]
    if facts.get("KeyManager") != "CUSTOMER":
        return
    listed = account.pages("kms", "list_resource_tags", "Tags", KeyId=id_)
    why = owner.why({tag["TagKey"]: tag["TagValue"] for tag in listed}, named=named)
    if not why:
        return
    if facts["KeyState"] == "PendingDeletion":
        remark = f"gone on {facts['DeletionDate']:%Y-%m-%d}, and free until then"
        yield Found(kind="KMS key", id=id_, why=why, removal=(), remark=remark)
    else:
        removal = ("kms", "schedule-key-deletion", "--pending-window-in-days", "7", "--key-id", id_)
        yield _paid("KMS key", id_, why, removal, cost(KEY))


def _paid(kind: str, id_: str, why: str, removal: tuple[str, ...], paid: Cost | None) -> Found:
    return Found(kind=kind, id=id_, why=why, removal=(removal,), cost=paid, is_free=False)


def _tagged(account: Account, owner: Owner, operation: str, key: str, arn_key: str) -> Iterator[tuple[Record, str]]:
    """Yield the stack's load balancers or target groups, whose tags need separate requests."""
    records = {record[arn_key]: record for record in account.pages("elbv2", operation, key)}
    for arns in _batches(list(records)):
        for described in account.answer("elbv2", "describe_tags", ResourceArns=arns)["TagDescriptions"]:
            if why := owner.why(tags_of(described["Tags"])):
                yield records[described["ResourceArn"]], why


def _batches(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]
