"""What a node needs to join a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class ClusterConnection:
    """What a cluster, new or existing, provides for its GPU node groups."""

    cluster_name: pulumi.Input[str]
    node_role_arn: pulumi.Input[str]
    security_group_ids: Sequence[pulumi.Input[str]]
    """The cluster's own group comes first. From Kubernetes 1.33 it has the self-referencing rules that EFA needs."""
    kubernetes_version: str
    node_release_version: str
    """The release of the AL2023 AMI, such as 1.36.2-20260714."""
