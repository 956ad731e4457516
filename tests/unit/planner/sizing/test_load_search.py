"""The search for the largest load: what it spares never changes the answer, and how much is left to replay."""

from dataclasses import replace

import pytest

from tests.unit.planner.sizing.test_choice import CHAT, LEVEL
from vllm_eks.planner.load import replay as module
from vllm_eks.planner.load.lengths import Lengths as RequestLengths
from vllm_eks.planner.load.lengths import TokenCount, fixed
from vllm_eks.planner.load.service_level import Limit, ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.workloads import WORKLOADS
from vllm_eks.planner.search.named_models import load_model
from vllm_eks.planner.sizing import replica as replica_module
from vllm_eks.planner.sizing.candidates import Candidate, candidates
from vllm_eks.planner.sizing.choice import size
from vllm_eks.planner.sizing.load_bound import most_load
from vllm_eks.planner.sizing.load_search import PRECISION, LoadSearch
from vllm_eks.planner.sizing.question import SizeQuestion

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


def test_the_choice_is_the_best_of_all_candidates_whose_search_is_done() -> None:
    load = 12.0
    question = replace(CHAT, traffic=replace(CHAT.traffic, requests_per_second=load))
    prices: list[tuple[tuple[bool, bool, bool], float]] = []
    for one in found(question):
        largest = LoadSearch(replica=one.replica, level=LEVEL).largest()
        if largest:
            prices.append((one.group, one.usd_per_hour(-(-load // largest))))

    assert size(question).rows[0].rank[:2] == min(prices)


def test_over_all_types_few_steps_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps, not seconds: a busy machine must not break this. 100,000 steps take about a second of one core.

    p99 of whole requests is a hard question: the latency alone excludes no type.
    """
    question = SizeQuestion(
        model=load_model("Qwen/Qwen3-8B"),
        options=CHAT.options,
        traffic=Traffic(lengths=WORKLOADS["code"].lengths, requests_per_second=20.0),
        level=ServiceLevel(e2e=Limit(seconds=30, percentile=99)),
    )
    steps: list[int] = []

    def counted(*args: object, **options: object) -> object:
        seen = module.replay(*args, **options)  # type: ignore[arg-type]
        steps.append(seen.scheduled)
        return seen

    monkeypatch.setattr(replica_module, "replay", counted)

    assert len(size(question).rows) == 6
    assert len(steps) < 100
    assert sum(steps) < 160_000


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
