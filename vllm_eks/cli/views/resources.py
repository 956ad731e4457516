"""All registered resources, as a tree below their components."""

from rich.text import Text
from rich.tree import Tree

from vllm_eks.preview.mock_cloud import CLUSTER_COMPONENT, Registration
from vllm_eks.preview.recording import Recording

HIDDEN_CHILDREN = (
    "service role, security group, EKS cluster, vpc-cni, kube-proxy, access entries: created by the component, "
    "which the embedded engine cannot run"
)

PROGRAM_ORDER = (
    "ExistingNetwork",
    "Network",
    "ExistingCluster",
    "Cluster",
    "Accelerators",
    "GpuNodeGroup",
    "ModelServer",
)
"""The components in the order in which `__main__.py` creates them."""


def resource_tree(recording: Recording) -> Tree:
    """Return the tree. Remote components list their missing children."""
    root = Tree(Text(f"{sum(one.is_custom for one in recording.registrations)} resources", style="bold"))
    branches: dict[str, Tree] = {}
    for one in sorted(recording.registrations, key=_program_order_parents_first):
        label = Text(one.name, style="" if one.is_custom else "bold").append(f"  {one.type}", style="bright_black")
        branches[one.urn] = branches.get(one.parent, root).add(label)
        if one.type == CLUSTER_COMPONENT:
            branches[one.urn].add(Text(HIDDEN_CHILDREN, style="italic"))
    return root


def _program_order_parents_first(one: Registration) -> tuple[int, int, str, str]:
    depth, kind = one.urn.count("$"), one.type.rpartition(":")[2]
    place = PROGRAM_ORDER.index(kind) if kind in PROGRAM_ORDER else len(PROGRAM_ORDER)
    return depth, place, one.name, one.urn
