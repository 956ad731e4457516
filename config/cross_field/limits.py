"""What AWS allows at most, where the stack file alone shows that it is exceeded.

Sources: service quotas of Amazon EKS (public endpoint CIDRs, node groups, nodes), EC2 tag restrictions, VPC quotas.
"""

from collections.abc import Iterator, Mapping

from config.errors import Fault
from config.settings.model import ModelSettings
from vllm_eks.planner.hardware.instances import catalogue, find_instance
from vllm_eks.stack_files.wording import key_path

MOST_TAGS = 50
"""On one resource; keys that begin with aws: do not count."""
OWN_TAGS = ("Name", "kubernetes.io/role/elb", "vllm-eks/stack")
"""What the stack itself puts on a subnet, which has the most."""
DEFAULT_NODE_GROUPS = 30
"""Managed node groups of a cluster, unless AWS was asked for more (`checks` asks)."""
MOST_NODE_GROUPS = 100
"""Ours: beyond it a preview has ten thousand lines, and a cluster of its own is the better place."""


def tag_faults(tags: Mapping[str, str], default_tags: Mapping[str, str], key: str) -> Iterator[Fault]:
    """Yield a fault where a resource would get more tags than AWS takes; `default_tags` are aws:defaultTags."""
    every = {*tags, *default_tags, *OWN_TAGS}
    if len(every) > MOST_TAGS:
        room = MOST_TAGS - len({*default_tags, *OWN_TAGS} - set(tags))
        beside = f"{len(default_tags)} of aws:defaultTags and " if default_tags else ""
        text = (
            f"{len(tags)} tags are too many: AWS takes {MOST_TAGS} on a resource, and {beside}{len(OWN_TAGS)} of "
            f"vllm-eks are among them, so keep {max(room, 0)} or fewer"
        )
        yield Fault(key=key, text=text)


def node_group_faults(models: Mapping[str, ModelSettings], key: str) -> Iterator[Fault]:
    """Yield a fault where the models need more node groups than one stack may have."""
    groups = node_groups(models)
    if groups > MOST_NODE_GROUPS:
        text = (
            f"need {groups} node groups, one for each zone of each model: one stack may have {MOST_NODE_GROUPS} "
            f"(EKS allows {DEFAULT_NODE_GROUPS} a cluster by default), so split them over several stacks"
        )
        yield Fault(key=key, text=text)


def node_groups(models: Mapping[str, ModelSettings]) -> int:
    """Return how many GPU node groups the models need."""
    return sum(len(model.node_zones or ()) or 1 for model in models.values())


def offering_warnings(models: Mapping[str, ModelSettings], region: str, key: str) -> Iterator[Fault]:
    """Yield an instance type once that the region may not offer, as far as the catalogue knows; `checks` asks AWS."""
    seen: set[str] = set()
    known = any(region in one.zone_ids for one in catalogue().values())
    for name, model in models.items():
        zones = find_instance(model.instance_type).zone_ids
        if model.instance_type in seen or region in zones or not zones:
            continue
        seen.add(model.instance_type)
        text = f"{model.instance_type} is not known to be offered in {region}"
        where = f"it is in {', '.join(sorted(zones))}" if known else "the catalogue knows no type of that region"
        yield Fault(key=key_path(key, name, "instanceType"), text=f"{text}: {where}")
