"""Checks limits of AWS that the stack file alone exceeds.

Sources: service quotas of Amazon EKS (public endpoint CIDRs, node groups, nodes), EC2 tag restrictions, VPC quotas.
"""

from collections.abc import Iterator, Mapping

from config.errors import ConfigError
from config.settings.model import ModelSettings
from vllm_eks.planner.hardware.instances import catalogue, find_instance
from vllm_eks.stack_files.wording import key_path

MAX_TAGS = 50
"""Per resource. Keys that begin with aws: do not count."""
OWN_TAGS = ("Name", "kubernetes.io/role/elb", "vllm-eks/stack")
"""Tags that the stack adds to a subnet, which has the most."""
DEFAULT_NODE_GROUPS = 30
"""Managed node groups per cluster by default. `checks` queries the account's quota."""
MAX_NODE_GROUPS = 100
"""Our own limit. With more, a preview has ten thousand lines, and a second cluster is the better choice."""


def tag_errors(tags: Mapping[str, str], default_tags: Mapping[str, str], key: str) -> Iterator[ConfigError]:
    """Yield an error if a resource would have more tags than AWS allows. `default_tags` are aws:defaultTags."""
    every = {*tags, *default_tags, *OWN_TAGS}
    if len(every) > MAX_TAGS:
        room = MAX_TAGS - len({*default_tags, *OWN_TAGS} - set(tags))
        beside = f"{len(default_tags)} of aws:defaultTags and " if default_tags else ""
        text = (
            f"{len(tags)} tags are too many: AWS allows {MAX_TAGS} per resource, including {beside}{len(OWN_TAGS)} of "
            f"vllm-eks: keep at most {max(room, 0)}"
        )
        yield ConfigError(key=key, text=text)


def node_group_errors(models: Mapping[str, ModelSettings], key: str) -> Iterator[ConfigError]:
    """Yield an error if the models need more node groups than one stack may have."""
    groups = node_groups(models)
    if groups > MAX_NODE_GROUPS:
        text = (
            f"need {groups} node groups, one for each zone of each model, but a stack may have at most "
            f"{MAX_NODE_GROUPS} (EKS allows {DEFAULT_NODE_GROUPS} per cluster by default): split them over several "
            f"stacks"
        )
        yield ConfigError(key=key, text=text)


def node_groups(models: Mapping[str, ModelSettings]) -> int:
    """Return the number of GPU node groups that the models need."""
    return sum(len(model.node_zones or ()) or 1 for model in models.values())


def offering_warnings(models: Mapping[str, ModelSettings], region: str, key: str) -> Iterator[ConfigError]:
    """Yield a warning for each instance type that the catalogue does not list in the region. `checks` asks AWS."""
    seen: set[str] = set()
    known = any(region in one.zone_ids for one in catalogue().values())
    for name, model in models.items():
        zones = find_instance(model.instance_type).zone_ids
        if model.instance_type in seen or region in zones or not zones:
            continue
        seen.add(model.instance_type)
        text = f"{model.instance_type} may not be offered in {region}"
        where = (
            f"the catalogue lists it in {', '.join(sorted(zones))}"
            if known
            else "the catalogue lists no types in that region"
        )
        yield ConfigError(key=key_path(key, name, "instanceType"), text=f"{text}: {where}")
