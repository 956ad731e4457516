"""Every resource the program registered, as a tree under its component."""

from rich.text import Text
from rich.tree import Tree

from vllm_eks.preview.mock_cloud import CLUSTER_COMPONENT, Registration
from vllm_eks.preview.recording import Recording

HIDDEN_CHILDREN = (
    "service role, security group, EKS cluster, vpc-cni, kube-proxy, access entries: made by the component itself, "
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
"""The components as `__main__.py` builds them."""


def resource_tree(recording: Recording) -> Tree:
    """Return the tree; remote components say which children are missing from it."""
    root = Tree(Text(f"{sum(one.is_custom for one in recording.registrations)} resources", style="bold"))
    branches: dict[str, Tree] = {}
    for one in sorted(recording.registrations, key=_parents_first_in_the_program_s_order):
        label = Text(one.name, style="" if one.is_custom else "bold").append(f"  {one.type}", style="bright_black")
        branches[one.urn] = branches.get(one.parent, root).add(label)
        if one.type == CLUSTER_COMPONENT:
            branches[one.urn].add(Text(HIDDEN_CHILDREN, style="italic"))
    return root


def _parents_first_in_the_program_s_order(one: Registration) -> tuple[int, int, str, str]:
    depth, kind = one.urn.count("$"), one.type.rpartition(":")[2]
    place = PROGRAM_ORDER.index(kind) if kind in PROGRAM_ORDER else len(PROGRAM_ORDER)
    return depth, place, one.name, one.urn
