"""Where GPU nodes are: EFA interfaces, placement groups, reservations and capacity blocks."""

import base64

import pytest

from components.nodes.gpu_node_group import efa_network_interfaces
from tests.support.gpu_node_groups import ARGS, NODE_GROUP, TEMPLATE, build
from tests.support.nested import replaced
from vllm_eks.planner.hardware.instances import catalogue


def test_with_efa_the_security_group_is_on_the_interface(engine) -> None:
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


def test_spot_nodes_have_the_capacity_type_of_eks(engine) -> None:
    engine.run(lambda: build(capacity_type="spot"))

    assert engine.only(NODE_GROUP).inputs["capacityType"] == "SPOT"
    assert "instanceMarketOptions" not in engine.only(TEMPLATE).inputs


def test_nodes_of_a_reservation_target_it_without_a_placement_group_of_the_stack(engine) -> None:
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


def test_nodes_without_shared_traffic_have_no_placement_group(engine) -> None:
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
