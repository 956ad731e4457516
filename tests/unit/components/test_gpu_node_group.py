import base64

import pulumi
import pytest

from components.nodes.gpu_node_group import GpuNodeGroup
from tests.support.gpu_node_groups import ARGS, NODE_GROUP, TEMPLATE, build


def test_the_group_has_exactly_these_children(engine) -> None:
    engine.run(build)

    assert engine.children() == {
        "vllm-eks-test": {"GpuNodeGroup scout"},
        "scout": {"PlacementGroup scout-placement", "LaunchTemplate scout-template", "NodeGroup scout-nodes"},
    }


def test_children_stay_inside_when_the_group_is_nested(engine) -> None:
    class Outer(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Outer", "outer")
            GpuNodeGroup("scout", ARGS, opts=pulumi.ResourceOptions(parent=self))

    engine.run(Outer)

    assert set(engine.children()) == {"vllm-eks-test", "outer", "scout"}
    assert engine.children()["outer"] == {"GpuNodeGroup scout"}


def test_the_nodes_share_one_subnet_and_one_cluster_placement_group(engine) -> None:
    engine.run(build)

    assert engine.only("aws:ec2/placementGroup:PlacementGroup").inputs["strategy"] == "cluster"
    assert engine.only(TEMPLATE).inputs["placement"] == {"groupName": "scout-placement"}
    assert engine.only(NODE_GROUP).inputs["subnetIds"] == ["subnet-a"]


def test_the_node_group_has_exactly_these_inputs(engine) -> None:
    engine.run(build)

    assert engine.only(NODE_GROUP).inputs == {
        "clusterName": "vllm-prod",
        "nodeRoleArn": "arn:aws:iam::123456789012:role/node",
        "subnetIds": ["subnet-a"],
        "instanceTypes": ["g5.48xlarge"],
        "amiType": "AL2023_x86_64_NVIDIA",
        "version": "1.36",
        "releaseVersion": "1.36.2-20260714",
        "launchTemplate": {"id": "scout-template-id", "version": "1"},
        "scalingConfig": {"minSize": 2, "desiredSize": 2, "maxSize": 2},
        "updateConfig": {"maxUnavailable": 1, "updateStrategy": "MINIMAL"},
        "nodeRepairConfig": {
            "enabled": True,
            "nodeRepairConfigOverrides": [
                {
                    "nodeMonitoringCondition": "AcceleratedHardwareReady",
                    "nodeUnhealthyReason": "DCGMError",
                    "minRepairWaitTimeMins": 10,
                    "repairAction": "NoAction",
                }
            ],
        },
        "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}],
        "labels": {"vllm-eks/model": "llama-4-scout", "nvidia.com/gpu.present": "true"},
        "tags": {"team": "serving", "Name": "scout"},
    }


def test_zero_nodes_still_have_a_maximum_size_of_one(engine) -> None:
    engine.run(lambda: build(node_count=0))

    assert engine.only(NODE_GROUP).inputs["scalingConfig"] == {"minSize": 0, "desiredSize": 0, "maxSize": 1}


def test_old_nodes_are_deleted_before_new_ones_are_created(engine) -> None:
    engine.run(build)

    request = engine.only(NODE_GROUP).request
    assert request.deleteBeforeReplace
    assert not request.aliases
    assert not request.ignoreChanges


def test_the_template_is_hardened(engine) -> None:
    engine.run(build)

    template = dict(engine.only(TEMPLATE).inputs)
    user_data = base64.b64decode(template.pop("userData")).decode()
    assert '"strategy": "RAID0"' in user_data
    assert template == {
        "placement": {"groupName": "scout-placement"},
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/xvda",
                "ebs": {
                    "volumeType": "gp3",
                    "volumeSize": 100,
                    "encrypted": "true",
                    "deleteOnTermination": "true",
                },
            }
        ],
        "metadataOptions": {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
        "vpcSecurityGroupIds": ["sg-1"],
        "tagSpecifications": [
            {"resourceType": resource_type, "tags": {"vllm-eks/stack": "vllm-prod", "Name": "scout"}}
            for resource_type in ("instance", "volume", "network-interface")
        ],
        "tags": {"vllm-eks/stack": "vllm-prod"},
        "updateDefaultVersion": True,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"tags": {"team": "other", "cost-center": "42"}},
        {"labels": {"other": "label"}},
        {"node_count": 4},
        {"node_release_version": "1.36.3-20261101"},
        {"instance_type": "g6e.48xlarge"},
    ],
    ids=lambda change: ",".join(change),
)
def test_unrelated_changes_do_not_affect_the_template(start_engine, change) -> None:
    before = start_engine()
    before.run(build)
    after = start_engine()
    after.run(lambda: build(**change))

    assert before.only(TEMPLATE).inputs == after.only(TEMPLATE).inputs
