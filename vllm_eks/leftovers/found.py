"""A resource that still exists in AWS, and the result of a search."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vllm_eks.leftovers.blockers import Blocker
from vllm_eks.leftovers.prices import Cost, UnitPrice

REMOVAL_ORDER = (
    "node group",
    "cluster",
    "pod identity association",
    "record",
    "classic load balancer",
    "load balancer",
    "target group",
    "auto scaling group",
    "instance",
    "NAT gateway",
    "VPC endpoint",
    "network interface",
    "address",
    "volume",
    "security group rule",
    "security group",
    "launch template",
    "placement group",
    "log group",
    "rule namespace",
    "workspace",
    "subnet",
    "route table",
    "internet gateway",
    "VPC",
    "IAM role",
    "KMS key",
)
"""All kinds of resources. A kind comes after those that depend on it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A resource of the stack that still exists."""

    kind: str
    id: str
    why: str
    """The tag or name that identifies it as the stack's."""
    removal: tuple[tuple[str, ...], ...]
    """The `aws` commands that remove it, without region and profile. Empty when AWS removes it automatically."""
    cost: Cost | None = None
    is_free: bool = True
    """Whether a missing `cost` means free. Otherwise the cost is unknown."""
    remark: str = ""

    @property
    def text(self) -> str:
        """The reason that it is the stack's, and the remark."""
        return f"{self.why}; {self.remark}" if self.remark else self.why


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """The result of a search in one account and region."""

    name: str
    """`<project>-<stack>`."""
    region: str
    account: str
    options: Mapping[str, str]
    """Options of every printed command: --region, and --profile if there is one."""
    found: Sequence[Found]
    not_asked: Mapping[str, str]
    """Kind -> why it could not be listed."""
    in_the_way: Sequence[Blocker] = ()
    """Resources of others in the stack's VPCs, which prevent the deletion of the VPCs."""
    in_use: str = ""
    """Why the resources may still be in use, or an empty string."""

    @property
    def left(self) -> list[Found]:
        """The resources to remove by hand, in the order of removal."""
        return sorted((one for one in self.found if one.removal), key=_place)

    @property
    def going(self) -> list[Found]:
        """The resources that AWS removes automatically, at no cost."""
        return [one for one in self.found if not one.removal]

    @property
    def is_clean(self) -> bool:
        """Whether it is certain that nothing is left."""
        return not self.left and not self.not_asked

    @property
    def usd_per_month(self) -> float:
        """The total of the known costs, which is a lower bound of the bill."""
        return sum(one.cost.usd_per_month for one in self.left if one.cost)

    @property
    def usd_per_hour(self) -> float:
        """The hourly total of the known costs."""
        return sum(one.cost.usd_per_hour for one in self.left if one.cost)

    @property
    def prices(self) -> list[UnitPrice]:
        """The prices behind the costs, each once."""
        return list(dict.fromkeys(one.cost.price for one in self.left if one.cost))

    def commands(self, one: Found | Blocker) -> list[str]:
        """Return the shell commands that remove a resource."""
        options = [word for pair in self.options.items() for word in pair]
        return [shlex.join(["aws", *words, *options]) for words in one.removal]


def _place(one: Found) -> tuple[int, str, str]:
    # Sort by reason before the id, so that similar resources are together.
    return REMOVAL_ORDER.index(one.kind), one.text, one.id
