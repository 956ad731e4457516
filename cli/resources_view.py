"""Every resource the program registered, as a tree under its component."""

from rich.text import Text
from rich.tree import Tree

from cli.mock_cloud import CLUSTER_COMPONENT
from cli.recording import Recording

HIDDEN_CHILDREN = (
    "service role, security group, EKS cluster, vpc-cni, kube-proxy, access entries: made by the component itself, "
    "which the embedded engine cannot run"
)


def resource_tree(recording: Recording) -> Tree:
    """Return the tree; remote components say which children are missing from it."""
    root = Tree(Text(f"{sum(one.is_custom for one in recording.registrations)} resources", style="bold"))
    branches: dict[str, Tree] = {}
    # Components register in the program's order, their children as their inputs arrive: sort those.
    for one in sorted(
        recording.registrations, key=lambda one: (one.urn.count("$"), one.is_custom, one.is_custom and one.name)
    ):
        label = Text(one.name, style="" if one.is_custom else "bold").append(f"  {one.type}", style="bright_black")
        branches[one.urn] = branches.get(one.parent, root).add(label)
        if one.type == CLUSTER_COMPONENT:
            branches[one.urn].add(Text(HIDDEN_CHILDREN, style="italic"))
    return root
