"""The workspace of Amazon Managed Service for Prometheus, and the agent's permission to write to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.cluster.cni_role import pod_identity_trust
from components.iam.iam_roles import make_role
from components.observability.names import PROMETHEUS_SERVICE_ACCOUNT
from vllm_eks.specs.observability import ManagedPrometheus
from vllm_eks.specs.stack import IamSpec

MAX_ALIAS = 100
"""Of a workspace (API reference of CreateWorkspace)."""


@dataclass(frozen=True, kw_only=True)
class WorkspaceArgs:
    """The arguments of a Workspace."""

    spec: ManagedPrometheus
    cluster_name: pulumi.Input[str]
    namespace: pulumi.Input[str]
    """Of the agent."""
    region: str
    iam: IamSpec = field(default_factory=IamSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Workspace(pulumi.ComponentResource):
    """A workspace, new or existing, that only the agent's service account may write to."""

    workspace_id: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    """The address of the workspace's API, with a trailing slash."""
    association: aws.eks.PodIdentityAssociation
    """The agent gets credentials only if it exists when its pod starts."""

    def __init__(self, name: str, args: WorkspaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:Workspace", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        if args.spec.workspace_arn:
            arn = pulumi.Output.from_input(args.spec.workspace_arn)
            self.workspace_id = pulumi.Output.from_input(args.spec.workspace_arn.rpartition("/")[2])
            self.endpoint = pulumi.Output.from_input(workspace_endpoint(args.spec.workspace_arn))
        else:
            workspace = aws.amp.Workspace(f"{name}-workspace", alias=name[:MAX_ALIAS], tags=args.tags, opts=child)
            arn, self.workspace_id, self.endpoint = workspace.arn, workspace.id, workspace.prometheus_endpoint
            if args.spec.alert_topic_arn:
                aws.amp.AlertManagerDefinition(
                    f"{name}-alert-manager",
                    workspace_id=workspace.id,
                    definition=alert_manager_definition(args.spec.alert_topic_arn, args.region),
                    opts=child,
                )
        self.association = self._writer(name, args, arn)
        self.register_outputs({"workspace_id": self.workspace_id, "endpoint": self.endpoint})

    def _writer(self, name: str, args: WorkspaceArgs, arn: pulumi.Output[str]) -> aws.eks.PodIdentityAssociation:
        child = pulumi.ResourceOptions(parent=self)
        role = make_role(f"{name}-writer-role", trust=pod_identity_trust(), iam=args.iam, tags=args.tags, opts=child)
        statement = {"Effect": "Allow", "Action": ["aps:RemoteWrite"], "Resource": arn}
        policy = aws.iam.RolePolicy(
            f"{name}-writer-policy",
            role=role.name,
            policy=pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]}),
            opts=child,
        )
        return aws.eks.PodIdentityAssociation(
            f"{name}-writer-association",
            cluster_name=args.cluster_name,
            namespace=args.namespace,
            service_account=PROMETHEUS_SERVICE_ACCOUNT,
            role_arn=role.arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )


def workspace_endpoint(arn: str) -> str:
    """Return the address of a workspace's API.

    >>> workspace_endpoint("arn:aws:aps:us-west-2:123456789012:workspace/ws-1")
    'https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-1/'
    """
    _, partition, _, region, _, resource = arn.split(":")
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    return f"https://aps-workspaces.{region}.{suffix}/workspaces/{resource.rpartition('/')[2]}/"


def alert_manager_definition(topic_arn: str, region: str) -> str:
    """Return the workspace's alert manager: every alert goes to one SNS topic, grouped by alert and model.

    The service takes YAML. JSON is YAML too.
    """
    topic = {"topic_arn": topic_arn, "sigv4": {"region": region}, "send_resolved": True}
    config = {
        "route": {"receiver": "topic", "group_by": ["alertname", "model"]},
        "receivers": [{"name": "topic", "sns_configs": [topic]}],
    }
    return json.dumps({"alertmanager_config": json.dumps(config)})
