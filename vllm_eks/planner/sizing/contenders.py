"""Machines that may serve a load, and the fewest of them that it needs by what is known so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.sizing.candidates import Candidate, Class
from vllm_eks.planner.sizing.load_search import LoadSearch
from vllm_eks.planner.sizing.question import SizeQuestion


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A candidate whose largest load is not known yet, or only just. It never needs less than it says."""

    candidate: Candidate
    search: LoadSearch
    """Types whose replicas have the same speed share it."""
    needed_load: float

    @property
    def most_load(self) -> float:
        """The largest load of a replica, or a larger one until the search is done. 0: none meets the level."""
        return self.search.most_load

    @property
    def replicas(self) -> int:
        """Replicas for the load. 0: no number is enough."""
        return max(1, ceil(self.needed_load / self.most_load - 1e-9)) if self.most_load else 0

    @property
    def plan(self) -> Plan:
        """The plan with these replicas."""
        return self.candidate.sized(self.replicas)

    @property
    def nodes(self) -> int:
        """Nodes of these replicas."""
        return self.plan.total_nodes

    @property
    def price(self) -> tuple[Class, float]:
        """The order of an answer: the group, and the price for ranking."""
        return self.candidate.group, self.candidate.usd_per_hour(self.replicas)


def contenders(question: SizeQuestion, found: Sequence[Candidate]) -> list[Contender]:
    """Return the candidates that may meet the level, by the closed form."""
    searches: dict[tuple[object, ...], LoadSearch] = {}
    for one in found:
        if one.speed_key not in searches:
            searches[one.speed_key] = LoadSearch(replica=one.replica, level=question.level)
    every = [
        Contender(candidate=one, search=searches[one.speed_key], needed_load=question.needed_load) for one in found
    ]
    return [one for one in every if one.most_load]
