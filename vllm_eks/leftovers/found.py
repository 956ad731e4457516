"""One thing that AWS still holds, and all that a search found."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vllm_eks.leftovers.blockers import Blocker
from vllm_eks.leftovers.prices import Cost, UnitPrice

IN_ORDER_OF_REMOVAL = (
    "node group",
    "cluster",
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
    "security group",
    "launch template",
    "placement group",
    "log group",
    "subnet",
    "route table",
    "internet gateway",
    "VPC",
    "KMS key",
)
"""Every kind that is asked about; what others hang on comes after them."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Something of the stack's that is still there."""

    kind: str
    id: str
    why: str
    """Which tag or name makes it the stack's."""
    removal: tuple[tuple[str, ...], ...]
    """The `aws` commands that remove it, without region and profile; none: it goes by itself."""
    cost: Cost | None = None
    is_free: bool = True
    """Whether no cost means none; else it costs something that is not known here."""
    remark: str = ""

    @property
    def text(self) -> str:
        """Why it is the stack's, and what else there is to say."""
        return f"{self.why}; {self.remark}" if self.remark else self.why


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """What a search of one account and region found."""

    name: str
    """`<project>-<stack>`."""
    region: str
    account: str
    options: Mapping[str, str]
    """What every printed command needs: --region, and --profile where there is one."""
    found: Sequence[Found]
    not_asked: Mapping[str, str]
    """Kind -> why AWS could not be queried about it."""
    in_the_way: Sequence[Blocker] = ()
    """What others have in the stack's own VPCs: these stay as long as it is there."""
    in_use: str = ""
    """Why all this may not be left over at all."""

    @property
    def left(self) -> list[Found]:
        """What stays until somebody removes it, in the order of removal."""
        return sorted((one for one in self.found if one.removal), key=_place)

    @property
    def going(self) -> list[Found]:
        """What goes by itself and costs nothing until then."""
        return [one for one in self.found if not one.removal]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left, for certain."""
        return not self.left and not self.not_asked

    @property
    def usd_per_month(self) -> float:
        """The known costs together: the bill is at least this."""
        return sum(one.cost.usd_per_month for one in self.left if one.cost)

    @property
    def usd_per_hour(self) -> float:
        """The same for an hour."""
        return sum(one.cost.usd_per_hour for one in self.left if one.cost)

    @property
    def prices(self) -> list[UnitPrice]:
        """The prices that the costs are reckoned by, each once."""
        return list(dict.fromkeys(one.cost.price for one in self.left if one.cost))

    def commands(self, one: Found | Blocker) -> list[str]:
        """Return the commands that remove a thing, ready for a shell."""
        options = [word for pair in self.options.items() for word in pair]
        return [shlex.join(["aws", *words, *options]) for words in one.removal]


def _place(one: Found) -> tuple[int, str, str]:
    # By reason before the id: alike stands with alike.
    return IN_ORDER_OF_REMOVAL.index(one.kind), one.text, one.id
