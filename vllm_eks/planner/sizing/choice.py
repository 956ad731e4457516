"""The choice of machines for a load and a service level: closed form to rank all, replay to answer.

Each candidate has a lowest price, which follows from a load that its replica surely does not exceed. Candidates are
replayed in the order of that price, until it is above the price of the best one that was replayed. So the best one is
the best of all, and a larger load or a stricter level never costs less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.search.layouts import MAX_NODES_PER_GROUP
from vllm_eks.planner.sizing.candidates import Candidate, candidates
from vllm_eks.planner.sizing.largest import Largest, largest_load
from vllm_eks.planner.sizing.nearest import nearest
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.planner.sizing.replica import Replica
from vllm_eks.planner.sizing.sized import SizedPlan, sized_plan

MOST_ROWS = 6
"""Rows of an answer, the recommended one included."""


@dataclass(frozen=True, kw_only=True)
class Possible:
    """Machines that may serve the load, by a load that a replica surely does not exceed."""

    candidate: Candidate
    most_load: float
    replicas: int
    """At least so many."""

    @property
    def nodes(self) -> int:
        """Nodes of these replicas."""
        return self.candidate.sized(self.replicas).total_nodes

    @property
    def usd_per_hour(self) -> float:
        """Their price for ranking."""
        return self.candidate.usd_per_hour(self.replicas)


@dataclass(frozen=True, kw_only=True)
class SizeAnswer:
    """The machines for a load."""

    question: SizeQuestion
    rows: tuple[SizedPlan, ...]
    """The recommended one first. Empty if the model fits no machine, or the load needs too many."""
    level: ServiceLevel
    """The service level that the rows meet."""
    fits_anywhere: bool
    too_many_nodes: Possible | None = None
    """The machines with the fewest nodes that may meet the level, if these are more than allowed."""
    largest: Largest | None = None
    """The largest load of the allowed nodes, if the load needs more."""

    @property
    def is_met(self) -> bool:
        """Whether the rows meet the service level that was asked for."""
        return bool(self.rows) and self.level == self.question.level


def size(question: SizeQuestion) -> SizeAnswer:
    """Return the machines for a load, the recommended ones first.

    Raises:
        WrongQuestion: No type has the family, the model cannot take such requests, or the options are invalid.
    """
    found = list(
        candidates(question.model, question.options, question.traffic, region=question.region, family=question.family)
    )
    if not found:
        return SizeAnswer(question=question, rows=(), level=question.level, fits_anywhere=False)
    possible = _possible(question, found)
    most_nodes = min(question.max_nodes or inf, MAX_NODES_PER_GROUP)
    rows, over = _replayed(question, [one for one in possible if one.nodes <= most_nodes], most_nodes)
    if rows:
        return SizeAnswer(question=question, rows=rows, level=question.level, fits_anywhere=True)
    over += [one for one in possible if one.nodes > most_nodes]
    closest = nearest(question, found)
    largest = largest_load(question, found) if over or not closest else None
    return SizeAnswer(
        question=question,
        rows=(closest[0],) if closest else (),
        level=closest[1] if closest else question.level,
        fits_anywhere=True,
        too_many_nodes=min(over, key=lambda one: (one.nodes, one.usd_per_hour), default=None),
        largest=largest,
    )


def _possible(question: SizeQuestion, found: Sequence[Candidate]) -> list[Possible]:
    """Return the candidates that may meet the level, in the order of replays."""
    loads = ((one, one.most_load(question.level)) for one in found)
    possible = [
        Possible(candidate=one, most_load=load, replicas=ceil(question.needed_load / load))
        for one, load in loads
        if load
    ]
    return sorted(
        possible,
        key=lambda one: (
            one.candidate.group,
            one.usd_per_hour,
            one.candidate.plan.instance.type,
            one.candidate.plan.ranks,
        ),
    )


def _replayed(
    question: SizeQuestion, possible: Sequence[Possible], most_nodes: float
) -> tuple[tuple[SizedPlan, ...], list[Possible]]:
    """Return the rows that meet the level, and the machines that do with too many nodes."""
    replicas: dict[tuple[object, ...], Replica] = {}
    rows: dict[tuple[object, ...], SizedPlan] = {}
    over: list[Possible] = []
    for one in possible:
        candidate, key = one.candidate, one.candidate.speed_key
        best = min((row.rank for row in rows.values()), default=None)
        if best and (candidate.group, one.usd_per_hour) > best[:2]:
            if len(rows) >= MOST_ROWS:
                break
            if key in replicas:
                continue
        replica = replicas.setdefault(key, candidate.replica)
        largest = min(replica.largest_load(question.level), one.most_load)
        if not largest:
            continue
        plan = candidate.sized(max(1, ceil(question.needed_load / largest - 1e-9)))
        if plan.total_nodes > most_nodes:
            over.append(Possible(candidate=candidate, most_load=largest, replicas=plan.replicas))
            continue
        row = sized_plan(plan, replica, question.traffic, question.level, candidate.group, largest_load=largest)
        if key not in rows or row.rank < rows[key].rank:
            rows[key] = row
    return tuple(sorted(rows.values(), key=lambda row: row.rank))[:MOST_ROWS], over
