"""The nearest service level that a machine meets, if none meets the one that was asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil, floor, inf, log10

from vllm_eks.planner.load.service_level import Latency, Limit, ServiceLevel
from vllm_eks.planner.search.layouts import MAX_NODES_PER_GROUP
from vllm_eks.planner.sizing.candidates import Candidate
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.planner.sizing.replica import Replica
from vllm_eks.planner.sizing.sized import SizedPlan, sized_plan

MOST_NEAREST = 6
"""Machines whose replay shows the nearest service level."""
QUIET = 0.2
"""Share of a full replica's load at which a service level is as good as it gets."""


def nearest(question: SizeQuestion, found: Sequence[Candidate]) -> SizedPlan | None:
    """Return the machines that come nearest to the level, as many as are allowed."""
    by_key = {one.speed_key: one for one in reversed(found)}
    closest = sorted(by_key.values(), key=lambda one: (_excess_alone(one, question.level), one.group))
    rows = (row for one in closest[:MOST_NEAREST] for row in _without_level(question, one))
    return min(rows, key=lambda row: (_excess(row, question.level), row.rank), default=None)


def _without_level(question: SizeQuestion, candidate: Candidate) -> Iterator[SizedPlan]:
    """Yield the machines with so many replicas that each has little to do, or as many as are allowed."""
    replica = candidate.replica
    quiet = QUIET * replica.most_load if question.traffic.is_open else max(1.0, QUIET * replica.most_load)
    most_nodes = int(min(question.max_nodes or inf, MAX_NODES_PER_GROUP))
    most = most_nodes // max(1, candidate.plan.nodes_per_replica) * candidate.plan.replicas_per_node
    replicas = min(ceil(question.needed_load / quiet), most)
    if replicas < 1:
        return
    largest = replica.largest_load(ServiceLevel())
    if question.traffic.load / replicas <= largest:
        yield sized_plan(
            candidate.sized(replicas),
            replica,
            question.traffic,
            ServiceLevel(),
            candidate.group,
            largest_load=largest,
        )


def _excess_alone(candidate: Candidate, level: ServiceLevel) -> float:
    alone = candidate.replica.alone
    seconds: dict[Latency, float] = {
        "ttft": alone.ttft_seconds.best,
        "itl": alone.tpot_seconds.best,
        "e2e": alone.ttft_seconds.best + candidate.replica.lengths.output_tokens * alone.tpot_seconds.best,
    }
    return max((seconds[name] / limit.seconds for name, limit in level.limits.items()), default=0.0)


def _excess(row: SizedPlan, level: ServiceLevel) -> float:
    return max((Replica.over(row.at_load, name, level) for name in level.limits), default=0.0)


def level_of(row: SizedPlan, level: ServiceLevel) -> ServiceLevel:
    """Return the level with each broken limit raised to what the row reaches, rounded up to two digits."""

    def raised(name: Latency, limit: Limit | None) -> Limit | None:
        if limit is None:
            return None
        reached = row.at_load.percentile(name, limit.percentile)
        return limit if reached <= limit.seconds else replace(limit, seconds=_rounded_up(reached))

    return ServiceLevel(ttft=raised("ttft", level.ttft), itl=raised("itl", level.itl), e2e=raised("e2e", level.e2e))


def _rounded_up(value: float) -> float:
    unit = 10 ** (floor(log10(value)) - 1)
    return round(ceil(value / unit) * unit, 6)
