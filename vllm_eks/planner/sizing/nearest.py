"""The nearest service level that a machine meets, if none meets the one that was asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10

from vllm_eks.planner.load.replayed import Replay
from vllm_eks.planner.load.service_level import Latency, Limit, ServiceLevel
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.sizing.candidates import Candidate, Class
from vllm_eks.planner.sizing.largest import allowed_replicas
from vllm_eks.planner.sizing.load_search import LoadSearch
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.planner.sizing.replica import Replica
from vllm_eks.planner.sizing.sized import SizedPlan, sized_plan

MOST_NEAREST = 6
"""Machines whose replay shows the nearest service level."""
QUIET = 0.2
"""Share of a full replica's load at which a service level is as good as it gets."""


@dataclass(frozen=True, kw_only=True)
class _Quiet:
    """A candidate with so many replicas that each has little to do, or as many as are allowed."""

    candidate: Candidate
    plan: Plan
    seen: Replay


def nearest(question: SizeQuestion, found: Sequence[Candidate]) -> tuple[SizedPlan, ServiceLevel] | None:
    """Return the machines that come nearest to the level, and the level that they meet, or None if none can."""
    able = [one for one in found if allowed_replicas(question, one) * one.replica.most_load > question.needed_load]
    by_key = {one.speed_key: one for one in reversed(able)}
    closest = sorted(by_key.values(), key=lambda one: (_excess_alone(one, question.level), one.group))
    quiet = [one for candidate in closest[:MOST_NEAREST] for one in _quiet(question, candidate)]
    best = min(quiet, key=lambda one: (_excess(one.seen, question.level), *_order(one)), default=None)
    if best is None:
        return None
    level, replica = _level_of(best.seen, question.level), best.candidate.replica
    share = question.traffic.load / best.plan.replicas
    search = LoadSearch(replica=replica, level=level)
    return sized_plan(
        best.plan,
        replica,
        question.traffic,
        level,
        best.candidate.group,
        largest_load=max(share, search.largest()),
        broken_load=search.high,
    ), level


def _order(one: _Quiet) -> tuple[Class, float, str]:
    return one.candidate.group, one.candidate.usd_per_hour(one.plan.replicas), one.plan.instance.type


def _quiet(question: SizeQuestion, candidate: Candidate) -> Iterator[_Quiet]:
    """Yield the candidate if it can serve the load at all."""
    replica = candidate.replica
    load = QUIET * replica.most_load if question.traffic.is_open else max(1.0, QUIET * replica.most_load)
    replicas = min(ceil(question.needed_load / load), allowed_replicas(question, candidate))
    if replicas < 1:
        return
    seen = replica.at(question.traffic.load / replicas)
    if not replica.broken(seen, ServiceLevel()):
        yield _Quiet(candidate=candidate, plan=candidate.sized(replicas), seen=seen)


def _excess_alone(candidate: Candidate, level: ServiceLevel) -> float:
    alone = candidate.replica.alone
    seconds: dict[Latency, float] = {
        "ttft": alone.ttft_seconds.best,
        "itl": alone.tpot_seconds.best,
        "e2e": alone.ttft_seconds.best + candidate.replica.lengths.output_tokens * alone.tpot_seconds.best,
    }
    return max((seconds[name] / limit.seconds for name, limit in level.limits.items()), default=0.0)


def _excess(seen: Replay, level: ServiceLevel) -> float:
    return max((Replica.over(seen, name, level) for name in level.limits), default=0.0)


def _level_of(seen: Replay, level: ServiceLevel) -> ServiceLevel:
    """Return the level with each broken limit raised to what a replay reaches, rounded up to two digits."""

    def raised(name: Latency, limit: Limit | None) -> Limit | None:
        if limit is None:
            return None
        reached = seen.percentile(name, limit.percentile)
        return limit if reached <= limit.seconds else replace(limit, seconds=_rounded_up(reached))

    return ServiceLevel(ttft=raised("ttft", level.ttft), itl=raised("itl", level.itl), e2e=raised("e2e", level.e2e))


def _rounded_up(value: float) -> float:
    unit = 10 ** (floor(log10(value)) - 1)
    return round(ceil(value / unit) * unit, 6)
