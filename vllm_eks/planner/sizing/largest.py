"""The largest load that an allowed number of nodes serves, if the load that was asked for needs more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.search.layouts import MAX_NODES_PER_GROUP
from vllm_eks.planner.sizing.candidates import Candidate
from vllm_eks.planner.sizing.load_search import LoadSearch
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.planner.sizing.sized import SizedPlan, sized_plan

MOST_REPLAYED = 6
"""Machines that are replayed, those with the largest load by the closed form first."""


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The machines that serve the largest load."""

    row: SizedPlan
    """At this load."""
    level: ServiceLevel
    """The one that was asked for, or an empty one if the machines meet it at no load."""


def allowed_replicas(question: SizeQuestion, candidate: Candidate) -> int:
    """Return how many replicas of a candidate the allowed nodes hold."""
    nodes = int(min(question.max_nodes or inf, MAX_NODES_PER_GROUP))
    return nodes // max(1, candidate.plan.nodes_per_replica) * candidate.plan.replicas_per_node


def largest_load(question: SizeQuestion, found: Sequence[Candidate]) -> Largest | None:
    """Return the largest load on the allowed nodes, within the level if machines meet it, or None if none has room."""
    for level in dict.fromkeys((question.level, ServiceLevel())):
        row = max(_rows(question, found, level), key=lambda one: one.total_largest_load, default=None)
        if row:
            return Largest(row=row, level=level)
    return None


def _rows(question: SizeQuestion, found: Sequence[Candidate], level: ServiceLevel) -> Iterator[SizedPlan]:
    searches: dict[tuple[object, ...], LoadSearch] = {}
    for one in found:
        if one.speed_key not in searches:
            searches[one.speed_key] = LoadSearch(replica=one.replica, level=level)
    bounds = [(allowed_replicas(question, one) * searches[one.speed_key].most_load, one) for one in found]
    by_bound = sorted((pair for pair in bounds if pair[0] > 0), key=lambda pair: -pair[0])
    best = 0.0
    for bound, one in by_bound[:MOST_REPLAYED]:
        if bound <= best:
            return
        search, plan = searches[one.speed_key], one.sized(allowed_replicas(question, one))
        while not search.is_done and search.most_load * plan.replicas > best:
            search.narrow()
        load = search.most_load * plan.replicas
        if not search.is_done or not load:
            continue
        best = max(best, load)
        traffic = question.traffic.at(load)
        yield sized_plan(
            plan,
            search.replica,
            traffic,
            level,
            one.group,
            largest_load=search.most_load,
            broken_load=search.high,
        )
