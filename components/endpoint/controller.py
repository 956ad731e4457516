"""The AWS Load Balancer Controller, which only registers pods with target groups that Pulumi created."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from components.cluster.cni_role import pod_identity_trust
from components.controllers.images import split_image
from components.helm_releases import RELEASE_HISTORY
from components.iam.iam_roles import make_role
from vllm_eks.aws.partitions import aws_partition
from vllm_eks.leftovers.owner import STACK_TAG
from vllm_eks.pins.charts import ChartSource
from vllm_eks.specs.stack import IamSpec

NAMESPACE, SERVICE_ACCOUNT = "kube-system", "aws-load-balancer-controller"
TIMEOUT_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class BinderArgs:
    """The arguments of a Binder."""

    chart: ChartSource
    image: str | None
    """A mirror of the image, or None for the chart's own."""
    cluster_name: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    region: str
    stack: str
    """The value of the ownership tag, which the controller's permissions are limited to."""
    iam: IamSpec = field(default_factory=IamSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Binder(pulumi.ComponentResource):
    """The controller with its role. It runs on the system nodes, because GPU nodes have a taint.

    Bindings depend on it, so that the controller lives until it has removed their finalizers.
    """

    def __init__(self, name: str, args: BinderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:Binder", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = make_role(f"{name}-role", trust=pod_identity_trust(), iam=args.iam, tags=args.tags, opts=child)
        policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=pulumi.Output.json_dumps(binding_policy(aws_partition(args.region), args.region, args.stack)),
            opts=child,
        )
        association = aws.eks.PodIdentityAssociation(
            f"{name}-association",
            cluster_name=args.cluster_name,
            namespace=NAMESPACE,
            service_account=SERVICE_ACCOUNT,
            role_arn=role.arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        kubernetes.helm.v3.Release(
            f"{name}-aws-load-balancer-controller",
            name=SERVICE_ACCOUNT,
            namespace=NAMESPACE,
            chart=args.chart.chart,
            version=args.chart.version,
            repository_opts={"repo": args.chart.repository} if args.chart.repository else None,
            values=binder_values(args),
            timeout=TIMEOUT_SECONDS,
            max_history=RELEASE_HISTORY,
            # Its pods get credentials only if the association exists when they start. Two releases with the same name
            # cannot exist together.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[association], delete_before_replace=True),
        )
        self.register_outputs({})


def binding_policy(partition: str, region: str, stack: str) -> dict[str, Any]:
    """Return the permissions of a controller that binds pods and creates nothing.

    Read from the controller's source at v3.5.0: pkg/targetgroupbinding calls DescribeTargetHealth, RegisterTargets and
    DeregisterTargets, its webhooks DescribeTargetGroups, and pkg/networking DescribeVpcs, and DescribeSecurityGroups
    even for bindings without `networking`. Without the last one, no finalizer is ever removed. Describe actions do not
    support resources.
    """
    describes = [
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "ec2:DescribeVpcs",
        "ec2:DescribeSecurityGroups",
    ]
    binds = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": describes, "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": binds,
                "Resource": f"arn:{partition}:elasticloadbalancing:{region}:*:targetgroup/*",
                # By tag and not by name, because a replaced target group must still be emptied.
                "Condition": {"StringEquals": {f"aws:ResourceTag/{STACK_TAG}": stack}},
            },
        ],
    }


def binder_values(args: BinderArgs) -> dict[str, Any]:
    """Return the chart's values: two controllers that handle TargetGroupBindings, and nothing else of the cluster."""
    return {
        "clusterName": args.cluster_name,
        # The controller would ask the node's metadata service, which is one network hop too far for a pod.
        "region": args.region,
        "vpcId": args.vpc_id,
        "serviceAccount": {"name": SERVICE_ACCOUNT},
        "replicaCount": 2,
        "podDisruptionBudget": {"maxUnavailable": 1},
        # The example in the chart's own values. The chart requests nothing by default.
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        # Other Services, Ingresses and pods of the cluster never depend on this controller: without these settings its
        # webhooks refuse a new Service while no controller runs.
        "enableServiceMutatorWebhook": False,
        "webhookConfig": {"disableIngressValidation": True},
        "enablePodReadinessGateInject": False,
        "createIngressClassResource": False,
        "disableIngressClassAnnotation": True,
        "enableShield": False,
        "enableWaf": False,
        "enableWafv2": False,
        "enableBackendSecurityGroup": False,
        "controllerConfig": {
            "featureGates": {"EnableServiceController": False, "NLBGatewayAPI": False, "ALBGatewayAPI": False}
        },
        # A new certificate at each upgrade would make the webhooks fail until the pods have read it.
        "keepTLSSecret": True,
        **({"image": split_image(args.image)} if args.image else {}),
    }
