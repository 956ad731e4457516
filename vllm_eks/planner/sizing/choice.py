"""The choice of machines for a load and a service level: closed form to rank all, replay to answer.

Each candidate has a lowest price, which follows from a load that its replica surely does not exceed. The search for the
largest load of a replica lowers that load with each replay. It always continues for the candidate whose price is the
lowest by what is known so far, until that candidate's search is done: then it is the best of all. So a larger load or a
stricter level never costs less.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.search.layouts import MAX_NODES_PER_GROUP
from vllm_eks.planner.sizing.candidates import Class, candidates
from vllm_eks.planner.sizing.contenders import Contender, contenders
from vllm_eks.planner.sizing.largest import Largest, largest_load
from vllm_eks.planner.sizing.nearest import nearest
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.planner.sizing.sized import SizedPlan, sized_plan

MOST_ROWS = 6
"""Rows of an answer, the recommended one included."""


@dataclass(frozen=True, kw_only=True)
class SizeAnswer:
    """The machines for a load."""

    question: SizeQuestion
    rows: tuple[SizedPlan, ...]
    """The recommended one first. Empty if the model fits no machine, or the load needs too many."""
    level: ServiceLevel
    """The service level that the rows meet."""
    fits_anywhere: bool
    too_many_nodes: Contender | None = None
    """The machines with the fewest nodes that meet the level, if these are more than allowed."""
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
    asked = contenders(question, found)
    most_nodes = min(question.max_nodes or inf, MAX_NODES_PER_GROUP)
    rows = _rows(question, asked, most_nodes)
    if rows:
        return SizeAnswer(question=question, rows=rows, level=question.level, fits_anywhere=True)
    closest = nearest(question, found)
    more = next((one for one in _in_order(asked, _by_nodes) if one.search.is_done), None)
    return SizeAnswer(
        question=question,
        rows=(closest[0],) if closest else (),
        level=closest[1] if closest else question.level,
        fits_anywhere=True,
        too_many_nodes=more,
        largest=largest_load(question, found) if more or not closest else None,
    )


def _rows(question: SizeQuestion, asked: Sequence[Contender], most_nodes: float) -> tuple[SizedPlan, ...]:
    """Return the machines that meet the level, the recommended ones first."""
    rows: dict[tuple[object, ...], SizedPlan] = {}

    def add(one: Contender) -> None:
        key = one.candidate.speed_key
        row = sized_plan(
            one.plan,
            one.search.replica,
            question.traffic,
            question.level,
            one.candidate.group,
            largest_load=one.most_load,
            broken_load=one.search.high,
        )
        if key not in rows or row.rank < rows[key].rank:
            rows[key] = row

    allowed = [one for one in asked if one.nodes <= most_nodes]
    cheapest = None
    for one in _in_order(allowed, _by_price, most_nodes):
        if cheapest and one.price > cheapest:
            break
        if one.search.is_done:
            cheapest = one.price
            add(one)
    # The others come in the order of what is known about them. Not all of them are replayed.
    for one in sorted((one for one in allowed if one.most_load), key=_by_price):
        if len(rows) >= MOST_ROWS or not cheapest:
            break
        if one.candidate.speed_key not in rows and one.search.largest() and one.nodes <= most_nodes:
            add(one)
    return tuple(sorted(rows.values(), key=lambda row: row.rank))[:MOST_ROWS]


def _by_price(one: Contender) -> tuple[Class, float, str, int]:
    return *one.price, one.candidate.plan.instance.type, one.candidate.plan.ranks


def _by_nodes(one: Contender) -> tuple[int, float]:
    return one.nodes, one.price[1]


def _in_order(
    asked: Iterable[Contender], key: Callable[[Contender], tuple[Any, ...]], most_nodes: float = inf
) -> Iterator[Contender]:
    """Yield the contender that is the first by what is known, again and again, until its search is done.

    Its search continues in between. The key must not become smaller by that.
    """
    queue = [(key(one), number, one) for number, one in enumerate(asked)]
    heapq.heapify(queue)
    while queue:
        before, number, one = heapq.heappop(queue)
        if not one.most_load or one.nodes > most_nodes:
            continue
        if key(one) == before:
            yield one
            if one.search.is_done:
                continue
            one.search.narrow()
        if one.most_load:
            heapq.heappush(queue, (key(one), number, one))
