"""The GPU node groups of a model: one in each of its zones, with the stack's tags."""

import pulumi

from components.network.existing_network import ExistingNetwork
from components.nodes.model_node_groups import NodeSite, model_node_groups
from tests.support.gpu_node_groups import ARGS, NODE_GROUP, TEMPLATE
from tests.support.plans import SCOUT_W4A16, planned
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.specs.network import FoundVpc
from vllm_eks.specs.stack import StackSpec

SUBNETS = {"us-west-2a": "subnet-a", "us-west-2b": "subnet-b", "us-west-2c": "subnet-c"}
STACK = StackSpec(
    name="vllm-prod",
    region="us-west-2",
    tags={"team": "serving", "vllm-eks/stack": "vllm-prod"},
    ownership_tag={"vllm-eks/stack": "vllm-prod"},
)


def test_each_zone_gets_a_group_in_its_own_subnet_and_the_first_keeps_its_name(engine) -> None:
    def build() -> None:
        network = ExistingNetwork("network", FoundVpc(vpc_id="vpc-1", private_subnets=SUBNETS))
        site = NodeSite(stack=STACK, network=network, cluster=ARGS.cluster)
        nodes = GpuNodes(plan=planned(SCOUT_W4A16), zones=("us-west-2c", "us-west-2a"))
        groups = model_node_groups("scout", nodes, site, pulumi.ResourceOptions())
        # The release waits for them in this order.
        assert [group.pulumi_resource_name for group in groups] == ["vllm-prod-scout", "vllm-prod-scout-us-west-2a"]

    engine.run(build)
    made = {one.name: one for one in engine.registrations if one.type == NODE_GROUP}
    assert {name: one.inputs["subnetIds"] for name, one in made.items()} == {
        "vllm-prod-scout-nodes": ["subnet-c"],
        "vllm-prod-scout-us-west-2a-nodes": ["subnet-a"],
    }
    for one in made.values():
        assert one.inputs["labels"]["vllm-eks/model"] == "scout"
        assert one.inputs["clusterName"] == "vllm-prod"
        assert one.inputs["tags"]["team"] == "serving"
    for template in (one for one in engine.registrations if one.type == TEMPLATE):
        # A changed tag of a template would replace all nodes.
        assert "team" not in template.inputs["tags"]
