"""The small nodes that run the cluster's own components."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.nodes.launch_templates import INSTANCE_METADATA, encrypted_root_volume, name_tags

NODE_COUNT = 2
ROOT_VOLUME_GIB = 50


@dataclass(frozen=True, kw_only=True)
class SystemNodeGroupArgs:
    """The arguments of a SystemNodeGroup."""

    cluster_name: pulumi.Input[str]
    node_role_arn: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    """Subnets in two zones, so that DNS and the controllers survive the failure of one."""
    kubernetes_version: str
    node_release_version: str
    """The release of the AL2023 AMI, such as 1.36.2-20260714."""
    instance_type: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    template_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of the launch template and its resources. They must never change, because a new template replaces all
    nodes."""


class SystemNodeGroup(pulumi.ComponentResource):
    """Two nodes without taints for CoreDNS, the controllers and the readiness Jobs."""

    node_group: aws.eks.NodeGroup

    def __init__(self, name: str, args: SystemNodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:SystemNodeGroup", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        template = aws.ec2.LaunchTemplate(
            f"{name}-template",
            block_device_mappings=encrypted_root_volume(ROOT_VOLUME_GIB),
            metadata_options=INSTANCE_METADATA,
            # Without a security group, EKS adds the cluster's own.
            tag_specifications=name_tags(name, args.template_tags),
            tags=args.template_tags,
            update_default_version=True,
            opts=child,
        )
        self.node_group = aws.eks.NodeGroup(
            f"{name}-nodes",
            cluster_name=args.cluster_name,
            node_role_arn=args.node_role_arn,
            subnet_ids=args.subnet_ids,
            instance_types=[args.instance_type],
            ami_type="AL2023_x86_64_STANDARD",
            version=args.kubernetes_version,
            release_version=args.node_release_version,
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            scaling_config={"min_size": NODE_COUNT, "desired_size": NODE_COUNT, "max_size": NODE_COUNT},
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            tags={**args.tags, "Name": name},
            opts=child,
        )
        self.register_outputs({"node_group_id": self.node_group.id})
