"""The logs of the models' pods, in CloudWatch, where they outlive the pods."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.cluster.cni_role import pod_identity_trust
from components.helm_releases import third_party_release
from components.iam.iam_roles import make_role
from components.logs.fluent_bit import FluentBitConfig, fluent_bit_values, release_name
from vllm_eks.pins.charts import ChartSource
from vllm_eks.specs.controllers import ControllersSpec
from vllm_eks.specs.logs import LogsSpec, log_group_of
from vllm_eks.specs.stack import StackSpec

NAMESPACE = "kube-system"
"""It admits pods that read the node's files."""


@dataclass(frozen=True, kw_only=True)
class ContainerLogsArgs:
    """The arguments of ContainerLogs."""

    stack: StackSpec
    logs: LogsSpec
    cluster_name: pulumi.Input[str]
    controllers: ControllersSpec
    """Without Fluent Bit's chart, another agent of the cluster writes to the log group."""


class ContainerLogs(pulumi.ComponentResource):
    """A log group, and Fluent Bit on every node, which writes to this group only."""

    log_group_name: pulumi.Output[str]

    def __init__(self, name: str, args: ContainerLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ContainerLogs", name, {}, opts)
        self._name, self._args = name, args
        # Otherwise Fluent Bit would need to create the group, without retention, and `destroy` would leave it.
        group = aws.cloudwatch.LogGroup(
            f"{name}-group",
            name=log_group_of(args.stack.name),
            retention_in_days=args.logs.retention_days,
            tags=args.stack.tags,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=args.logs.keep),
        )
        if args.controllers.charts.fluent_bit:
            release = release_name(args.stack.name)
            self._release(args.controllers.charts.fluent_bit, release, group, self._may_write(group, release))
        self.log_group_name = group.name
        self.register_outputs({"log_group_name": self.log_group_name})

    def _may_write(self, group: aws.cloudwatch.LogGroup, service_account: str) -> aws.eks.PodIdentityAssociation:
        name, args, child = self._name, self._args, pulumi.ResourceOptions(parent=self)
        role = make_role(
            f"{name}-role", trust=pod_identity_trust(), iam=args.stack.iam, tags=args.stack.tags, opts=child
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy", role=role.name, policy=pulumi.Output.json_dumps(_may_write_to(group.arn)), opts=child
        )
        return aws.eks.PodIdentityAssociation(
            f"{name}-association",
            cluster_name=args.cluster_name,
            namespace=NAMESPACE,
            service_account=service_account,
            role_arn=role.arn,
            tags=args.stack.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )

    def _release(
        self,
        source: ChartSource,
        release: str,
        group: aws.cloudwatch.LogGroup,
        association: aws.eks.PodIdentityAssociation,
    ) -> None:
        args = self._args
        config = FluentBitConfig(
            release=release,
            models=args.logs.models,
            log_group=group.name,
            region=args.stack.region,
            with_controller=args.controllers.charts.leader_worker_set is not None,
        )
        third_party_release(
            f"{self._name}-fluent-bit",
            release_name=release,
            source=source,
            namespace=NAMESPACE,
            values=fluent_bit_values(config, args.controllers.images.fluent_bit),
            # A pod gets its credentials when it starts, so the association must exist before.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[association]),
        )


def _may_write_to(log_group_arn: pulumi.Output[str]) -> dict[str, object]:
    # Fluent Bit's plugin calls nothing else when it does not create the group (out_cloudwatch_logs of 5.1.1).
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": pulumi.Output.format("{0}:*", log_group_arn)}
    return {"Version": "2012-10-17", "Statement": [statement]}


def stack_logs(
    stack: StackSpec,
    logs: LogsSpec | None,
    controllers: ControllersSpec,
    cluster_name: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> ContainerLogs | None:
    """Return what keeps the logs of the stack's pods, or None if the stack file asks for none."""
    if logs is None:
        return None
    args = ContainerLogsArgs(stack=stack, logs=logs, controllers=controllers, cluster_name=cluster_name)
    return ContainerLogs(f"{stack.name}-logs", args, opts)
