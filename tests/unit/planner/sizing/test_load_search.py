"""The search for the largest load: what it spares never changes the answer."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.planner.sizing.test_choice import CHAT, LEVEL
from vllm_eks.planner.load.lengths import Lengths as RequestLengths
from vllm_eks.planner.load.lengths import TokenCount, fixed
from vllm_eks.planner.load.service_level import Limit, ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.workloads import WORKLOADS
from vllm_eks.planner.sizing import load_search as search_module
from vllm_eks.planner.sizing.candidates import Candidate, candidates
from vllm_eks.planner.sizing.choice import size
from vllm_eks.planner.sizing.load_bound import most_load
from vllm_eks.planner.sizing.load_search import PRECISION, LoadSearch
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.planner.sizing.replica import Replica

CHAT_USERS = Traffic(lengths=WORKLOADS["chat"].lengths, concurrent_users=10.0)
RAG = Traffic(
    lengths=RequestLengths(input=TokenCount(tokens=3000, varies=True), output=TokenCount(tokens=300, varies=True)),
    requests_per_second=1.0,
    shared_prefix_tokens=1500,
)
LEVELS = (
    ServiceLevel(e2e=Limit(seconds=20, percentile=99)),
    ServiceLevel(ttft=Limit(seconds=0.4, percentile=90)),
    ServiceLevel(itl=Limit(seconds=0.03, percentile=99)),
    ServiceLevel(itl=Limit(seconds=0.025, percentile=50)),
)


def found(question: SizeQuestion) -> list[Candidate]:
    return list(
        candidates(question.model, question.options, question.traffic, region=question.region, family=question.family)
    )


@pytest.mark.parametrize("traffic", [CHAT.traffic, CHAT_USERS, RAG], ids=["rate", "users", "rag"])
def test_no_replay_meets_a_level_at_a_load_above_its_bound(traffic: Traffic) -> None:
    (one,) = found(replace(CHAT, traffic=traffic, family="gr6"))[:1]
    bounds = [most_load(one.replica, level) for level in LEVELS]

    # A bound is of use where it is below the load at which each search begins.
    assert min(bounds) < one.replica.most_load / 2
    for level, bound in zip(LEVELS, bounds, strict=True):
        load = bound * 1.01
        if not traffic.is_open:
            load = float(round(load) + 1)
        if load <= one.replica.most_load:
            assert one.replica.broken(one.replica.at(max(load, one.replica.most_load / 100)), level)


def test_a_search_ends_between_a_load_that_meets_the_level_and_one_that_does_not() -> None:
    (one,) = found(replace(CHAT, family="gr6"))[:1]
    level = ServiceLevel(itl=Limit(seconds=0.08, percentile=50))
    search = LoadSearch(replica=one.replica, level=level)
    before = search.most_load
    while not search.is_done:
        search.narrow()
        assert search.most_load <= before
        before = search.most_load

    assert not one.replica.broken(one.replica.at(search.low), level)
    assert one.replica.broken(one.replica.at(search.high), level)
    assert search.high - search.low <= PRECISION * search.high


Breaks = Callable[[float, ServiceLevel], bool]
SOME_LIMIT, NO_LIMIT = LEVELS[0], ServiceLevel()
TRAFFICS, TOPS = st.sampled_from((CHAT.traffic, CHAT_USERS)), st.integers(2, 300)


@dataclass(frozen=True, kw_only=True)
class RuledReplica:
    """A replica whose loads break by a rule, without a replay."""

    traffic: Traffic
    most_load: float
    breaks: Breaks
    asked: list[float] = field(default_factory=list[float])
    alone_seen: float = 0.0

    def at(self, load: float) -> float:
        self.asked.append(load)
        return load

    def broken(self, load: float, level: ServiceLevel) -> str:
        return "load" if load and self.breaks(load, level) else ""


def searched(traffic: Traffic, top: int, breaks: Breaks, level: ServiceLevel) -> tuple[float, int]:
    """The largest load, and how many loads are replayed for it."""
    replica = RuledReplica(traffic=traffic, most_load=float(top), breaks=breaks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "most_load", lambda replica, level: replica.most_load)
        return LoadSearch(replica=cast(Replica, replica), level=level).largest(), len(replica.asked)


@settings(max_examples=40)
@given(traffic=TRAFFICS, top=TOPS, share=st.floats(0.01, 1.0))
def test_a_search_without_a_limit_finds_what_halving_finds_with_fewer_replays(
    traffic: Traffic, top: int, share: float
) -> None:
    def breaks(load: float, level: ServiceLevel) -> bool:
        return load > share * top

    (found, replays), (halved, before) = (searched(traffic, top, breaks, level) for level in (NO_LIMIT, SOME_LIMIT))

    assert found == halved
    if top > 16:
        assert replays <= (before - 1 if share > 0.76 else before + 1)


@settings(max_examples=40)
@given(traffic=TRAFFICS, top=TOPS, seed=st.integers(0, 1000), share=st.floats(0.0, 0.5))
def test_no_limit_never_gives_a_smaller_load_than_some_limit_whatever_breaks(
    traffic: Traffic, top: int, seed: int, share: float
) -> None:
    def breaks(load: float, level: ServiceLevel) -> bool:
        drawn = Random(f"{seed} {load}").random()
        return drawn < (2 * share if level.limits else share)

    assert searched(traffic, top, breaks, NO_LIMIT)[0] >= searched(traffic, top, breaks, SOME_LIMIT)[0]


def test_the_choice_is_the_best_of_all_candidates_whose_search_is_done() -> None:
    load = 12.0
    question = replace(CHAT, traffic=replace(CHAT.traffic, requests_per_second=load))
    prices: list[tuple[tuple[bool, bool, bool], float]] = []
    for one in found(question):
        largest = LoadSearch(replica=one.replica, level=LEVEL).largest()
        if largest:
            prices.append((one.group, one.usd_per_hour(-(-load // largest))))

    assert size(question).rows[0].rank[:2] == min(prices)


def test_lengths_at_a_share_are_those_below_which_so_many_requests_are() -> None:
    rows = RequestLengths(
        input=TokenCount(tokens=20, varies=True),
        output=TokenCount(tokens=2, varies=True),
        rows=((30, 1), (10, 3), (20, 2)),
    )

    assert [rows.input_at(share) for share in (0.0, 0.5, 0.99, 1.0)] == [10, 20, 30, 30]
    assert [rows.output_at(share) for share in (0.0, 0.5, 0.99)] == [1, 2, 3]
    assert fixed(100, 7).input_at(0.99) == 100
    chat = WORKLOADS["chat"].lengths
    assert chat.output_at(0.5) < 256 < chat.output_at(0.99) <= chat.output.longest
