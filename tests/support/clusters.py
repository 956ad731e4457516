"""The arguments of a cluster."""

from components.cluster.cluster import Cluster, ClusterArgs
from components.network.cluster_subnets import ClusterSubnets
from tests.support.nested import replaced
from vllm_eks.specs.access import ClusterAccess, Deployer
from vllm_eks.specs.cluster import ClusterSpec
from vllm_eks.specs.stack import StackSpec

ADDONS = {
    "vpc-cni": "v1.23.0-eksbuild.1",
    "kube-proxy": "v1.36.0-eksbuild.14",
    "coredns": "v1.14.3-eksbuild.3",
    "eks-pod-identity-agent": "v1.4.0-eksbuild.1",
    "eks-node-monitoring-agent": "v1.7.0-eksbuild.1",
}
ACCESS = ClusterAccess(cluster_name="vllm-dev", deployer=Deployer(region="us-west-2"))
STACK = StackSpec(
    name="vllm-dev",
    region="us-west-2",
    tags={"team": "serving"},
    ownership_tag={"vllm-eks/stack": "vllm-dev"},
)
ARGS = ClusterArgs(
    stack=STACK,
    access=ACCESS,
    cluster=ClusterSpec(
        kubernetes_version="1.36",
        node_release_version="1.36.2-20260714",
        public_access_cidrs=["203.0.113.7/32"],
        system_instance_type="m7i.large",
        addon_versions=ADDONS,
    ),
    subnets=ClusterSubnets(
        vpc_id="vpc-1",
        public=["subnet-pub-a", "subnet-pub-b"],
        private=["subnet-a", "subnet-b", "subnet-c"],
        for_system_nodes=["subnet-a", "subnet-b"],
    ),
)
CONTROL_PLANE = "eks:index:Cluster"


def build(**changes: object) -> Cluster:
    return Cluster("main", replaced(ARGS, **changes))
