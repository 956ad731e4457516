import base64

import pulumi
import pytest

from components.nodes.cluster_connection import ClusterConnection
from components.nodes.gpu_node_group import GpuNodeGroup, GpuNodeGroupArgs, efa_network_interfaces
from tests.support.nested import replaced
from vllm_eks.planner.hardware.instances import catalogue
from vllm_eks.planner.search.gpu_nodes import NodeSpec

ARGS = GpuNodeGroupArgs(
    cluster=ClusterConnection(
        cluster_name="vllm-prod",
        node_role_arn="arn:aws:iam::123456789012:role/node",
        security_group_ids=["sg-1"],
        kubernetes_version="1.36",
        node_release_version="1.36.2-20260714",
    ),
    nodes=NodeSpec(instance_type="g5.48xlarge", node_count=2, close_together=True, has_local_nvme=True),
    subnet_id="subnet-a",
    labels={"vllm-eks/model": "llama-4-scout"},
    tags={"team": "serving"},
    template_tags={"vllm-eks/stack": "vllm-prod"},
)
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"


def build(**changes: object) -> GpuNodeGroup:
    return GpuNodeGroup("scout", replaced(ARGS, **changes))


def test_exactly_these_resources_hang_under_the_group(engine) -> None:
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


def test_the_node_group_is_asked_for_with_exactly_these_inputs(engine) -> None:
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


def test_no_nodes_still_leave_eks_the_largest_size_it_demands(engine) -> None:
    engine.run(lambda: build(node_count=0))

    assert engine.only(NODE_GROUP).inputs["scalingConfig"] == {"minSize": 0, "desiredSize": 0, "maxSize": 1}


def test_the_old_nodes_are_given_back_before_new_ones_are_asked_for(engine) -> None:
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
def test_what_is_no_business_of_the_template_leaves_it_alone(start_engine, change) -> None:
    before = start_engine()
    before.run(build)
    after = start_engine()
    after.run(lambda: build(**change))

    assert before.only(TEMPLATE).inputs == after.only(TEMPLATE).inputs


def test_efa_moves_the_security_group_to_the_one_interface(engine) -> None:
    engine.run(lambda: build(efa_interfaces=1))

    template = engine.only(TEMPLATE).inputs
    assert "vpcSecurityGroupIds" not in template
    assert template["networkInterfaces"] == [
        {
            "networkCardIndex": 0,
            "deviceIndex": 0,
            "interfaceType": "efa",
            "securityGroups": ["sg-1"],
            "deleteOnTermination": "true",
        }
    ]
    assert "RLIMIT_MEMLOCK" in base64.b64decode(template["userData"]).decode()


def test_only_the_first_of_several_efa_interfaces_carries_ip(engine) -> None:
    engine.run(lambda: build(efa_interfaces=4, instance_type="p4d.24xlarge"))

    interfaces = engine.only(TEMPLATE).inputs["networkInterfaces"]
    assert [(one["networkCardIndex"], one["deviceIndex"], one["interfaceType"]) for one in interfaces] == [
        (0, 0, "efa"),
        (1, 1, "efa-only"),
        (2, 1, "efa-only"),
        (3, 1, "efa-only"),
    ]
    assert all(one["securityGroups"] == ["sg-1"] for one in interfaces)


def test_a_first_card_without_efa_gets_a_plain_interface(engine) -> None:
    engine.run(lambda: build(efa_interfaces=16, network_cards=17, instance_type="p6-b300.48xlarge"))

    interfaces = engine.only(TEMPLATE).inputs["networkInterfaces"]
    assert [(one["networkCardIndex"], one["deviceIndex"], one["interfaceType"]) for one in interfaces] == [
        (0, 0, "interface"),
        *((card, 0, "efa-only") for card in range(1, 17)),
    ]


@pytest.mark.parametrize("name", [name for name, one in catalogue().items() if one.efa_interfaces])
def test_every_type_gets_all_of_its_efa_interfaces_and_one_for_ip(name: str) -> None:
    instance = catalogue()[name]
    args = replaced(ARGS, efa_interfaces=instance.efa_interfaces, network_cards=instance.network_cards)
    kinds = [str(one.get("interface_type")) for one in efa_network_interfaces(args.nodes, ["sg-1"])]

    assert sum("efa" in kind for kind in kinds) == instance.efa_interfaces
    assert kinds[0] != "efa-only", "EC2 refuses it on the first interface"
    assert len(kinds) == instance.network_cards


@pytest.mark.parametrize("efa", [0, 1])
def test_groups_of_the_cluster_s_own_nodes_are_added(engine, efa: int) -> None:
    engine.run(lambda: build(security_group_ids=["sg-1", "sg-nodes"], efa_interfaces=efa))

    template = engine.only(TEMPLATE).inputs
    found = template["networkInterfaces"][0]["securityGroups"] if efa else template["vpcSecurityGroupIds"]
    assert found == ["sg-1", "sg-nodes"]


def test_spot_nodes_are_asked_for_as_eks_spells_it(engine) -> None:
    engine.run(lambda: build(capacity_type="spot"))

    assert engine.only(NODE_GROUP).inputs["capacityType"] == "SPOT"
    assert "instanceMarketOptions" not in engine.only(TEMPLATE).inputs


def test_nodes_of_a_reservation_target_it_and_stand_outside_any_placement_group_of_ours(engine) -> None:
    engine.run(lambda: build(capacity_reservation_id="cr-0123456789abcdef0"))

    template = engine.only(TEMPLATE).inputs
    assert template["capacityReservationSpecification"] == {
        "capacityReservationTarget": {"capacityReservationId": "cr-0123456789abcdef0"}
    }
    assert "placement" not in template, "an instance in a placement group cannot use a reservation made outside it"
    assert engine.of_type("aws:ec2/placementGroup:PlacementGroup") == []
    assert "capacityType" not in engine.only(NODE_GROUP).inputs


def test_a_reservation_made_in_a_placement_group_is_used_inside_it(engine) -> None:
    engine.run(lambda: build(capacity_reservation_id="cr-0123456789abcdef0", reserved_placement_group="ours"))

    assert engine.only(TEMPLATE).inputs["placement"] == {"groupName": "ours"}
    assert engine.of_type("aws:ec2/placementGroup:PlacementGroup") == []


def test_nodes_of_a_reservation_group_target_it(engine) -> None:
    group = "arn:aws:resource-groups:us-west-2:123456789012:group/gpus"
    engine.run(lambda: build(capacity_reservation_group_arn=group))

    assert engine.only(TEMPLATE).inputs["capacityReservationSpecification"] == {
        "capacityReservationTarget": {"capacityReservationResourceGroupArn": group}
    }
    assert "placement" not in engine.only(TEMPLATE).inputs


def test_nodes_that_do_not_talk_to_each_other_stand_anywhere(engine) -> None:
    engine.run(lambda: build(close_together=False))

    assert engine.of_type("aws:ec2/placementGroup:PlacementGroup") == []
    assert "placement" not in engine.only(TEMPLATE).inputs


def test_a_capacity_block_has_its_type_and_market_in_the_template(engine) -> None:
    block = {"capacity_type": "capacityBlock", "capacity_reservation_id": "cr-0123456789abcdef0"}
    engine.run(lambda: build(instance_type="p5.48xlarge", **block))

    template, nodes = engine.only(TEMPLATE).inputs, engine.only(NODE_GROUP).inputs
    assert template["instanceMarketOptions"] == {"marketType": "capacity-block"}
    assert template["instanceType"] == "p5.48xlarge"
    assert "instanceTypes" not in nodes, "EKS takes the type of a Capacity Block from the template only"
    assert nodes["capacityType"] == "CAPACITY_BLOCK"


def test_a_type_without_disks_and_efa_gets_the_image_s_defaults(engine) -> None:
    engine.run(lambda: build(has_local_nvme=False))

    assert "userData" not in engine.only(TEMPLATE).inputs
