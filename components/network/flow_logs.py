"""Flow logs of the VPC, in CloudWatch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.iam.iam_roles import make_role
from components.iam.trust_policies import service_trust_policy
from vllm_eks.specs.stack import IamSpec

RETENTION_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class FlowLogsArgs:
    """The arguments of FlowLogs."""

    vpc_id: pulumi.Input[str]
    keep_logs: bool = False
    """Whether the logs are kept when the stack is destroyed."""
    iam: IamSpec = field(default_factory=IamSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class FlowLogs(pulumi.ComponentResource):
    """The accepted and rejected connections of a VPC, kept for 30 days."""

    log_group_name: pulumi.Output[str]

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:FlowLogs", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-log-group",
            retention_in_days=RETENTION_DAYS,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep_logs),
        )
        trust = service_trust_policy("vpc-flow-logs.amazonaws.com")
        role = make_role(f"{name}-role", trust=trust, iam=args.iam, tags=args.tags, opts=child)
        policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=pulumi.Output.json_dumps(_may_write_to(log_group.arn)),
            opts=child,
        )
        aws.ec2.FlowLog(
            f"{name}-vpc",
            vpc_id=args.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=log_group.arn,
            iam_role_arn=role.arn,
            tags=args.tags,
            # Without the policy the flow log is created but stays empty.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.log_group_name = log_group.name
        self.register_outputs({"log_group_name": self.log_group_name})


def _may_write_to(log_group_arn: pulumi.Output[str]) -> dict[str, object]:
    actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": pulumi.Output.format("{0}:*", log_group_arn)}
    return {"Version": "2012-10-17", "Statement": [statement]}
