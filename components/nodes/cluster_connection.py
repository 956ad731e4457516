"""What a node needs to join a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class ClusterConnection:
    """What a cluster, new or existing, gives its GPU node groups."""

    cluster_name: pulumi.Input[str]
    node_role_arn: pulumi.Input[str]
    security_group_ids: Sequence[pulumi.Input[str]]
    """The cluster's own group first: from Kubernetes 1.33 it carries the rules to itself that EFA needs."""
    kubernetes_version: str
    node_release_version: str
    """The AL2023 image's release, such as 1.36.2-20260714."""
