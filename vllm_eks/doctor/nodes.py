"""Reads a stack's GPU node groups from EKS. Imports boto3."""

from collections.abc import Mapping, Sequence
from typing import Any

from vllm_eks.aws.account import Account
from vllm_eks.doctor.facts import NodeGroupFacts

MODEL_LABEL = "vllm-eks/model"


def read_node_groups(account: Account, cluster_name: str, models: Sequence[str]) -> list[NodeGroupFacts]:
    """Return the node groups of the models.

    Raises:
        WrongQuestion: AWS does not answer, or the cluster does not exist.
    """
    names = account.names("eks", "list_nodegroups", "nodegroups", clusterName=cluster_name)
    described = [
        account.answer("eks", "describe_nodegroup", clusterName=cluster_name, nodegroupName=name)["nodegroup"]
        for name in names
    ]
    return [_facts(cluster_name, group) for group in described if _model_of(group) in models]


def _model_of(group: Mapping[str, Any]) -> str | None:
    labels: Mapping[str, str] = group.get("labels") or {}
    return labels.get(MODEL_LABEL)


def _facts(cluster_name: str, group: Mapping[str, Any]) -> NodeGroupFacts:
    issues = group.get("health", {}).get("issues", [])
    return NodeGroupFacts(
        name=group["nodegroupName"],
        cluster=cluster_name,
        model=group["labels"][MODEL_LABEL],
        status=group["status"],
        issues=tuple((issue["code"], issue.get("message", "")) for issue in issues),
    )
