"""The arguments of a GPU node group."""

from components.nodes.cluster_connection import ClusterConnection
from components.nodes.gpu_node_group import GpuNodeGroup, GpuNodeGroupArgs
from tests.support.nested import replaced
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
