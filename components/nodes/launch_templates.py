"""Shared settings of every node's launch template.

Any change of a launch template replaces all nodes of its group. So nothing here depends on the stack's own tags, which
users edit: a template gets only tags that never change.
"""

from collections.abc import Mapping, Sequence

import pulumi_aws as aws

INSTANCE_METADATA: aws.ec2.LaunchTemplateMetadataOptionsArgsDict = {
    "http_endpoint": "enabled",
    "http_tokens": "required",
    # One hop prevents pods from using the node's own credentials.
    "http_put_response_hop_limit": 1,
}


def encrypted_root_volume(size_gib: int) -> list[aws.ec2.LaunchTemplateBlockDeviceMappingArgsDict]:
    """Return the block devices of an AL2023 node: one encrypted gp3 root volume of `size_gib` GiB."""
    return [
        {
            "device_name": "/dev/xvda",
            "ebs": {
                "volume_type": "gp3",
                "volume_size": size_gib,
                "encrypted": "true",
                "delete_on_termination": "true",
            },
        }
    ]


def name_tags(
    name: str, fixed_tags: Mapping[str, str], resource_types: Sequence[str] = ("instance", "volume")
) -> list[aws.ec2.LaunchTemplateTagSpecificationArgsDict]:
    """Return tag specifications for the template's resources: a name, and tags that never change."""
    return [{"resource_type": resource_type, "tags": {**fixed_tags, "Name": name}} for resource_type in resource_types]
