"""The choice of machines: what a larger load or a looser service level changes, and how much is computed."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.load.lengths import fixed
from vllm_eks.planner.load.service_level import Limit, ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.workloads import WORKLOADS
from vllm_eks.planner.search.named_models import load_model
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.choice import size as size_again
from vllm_eks.planner.sizing.curves import load_plot
from vllm_eks.planner.sizing.question import SizeQuestion

MODEL = load_model("Qwen/Qwen3-8B")
LEVEL = ServiceLevel(ttft=Limit(seconds=1.0, percentile=90), itl=Limit(seconds=0.05, percentile=50))
CHAT = SizeQuestion(
    model=MODEL,
    options=ServingOptions(),
    traffic=Traffic(lengths=WORKLOADS["chat"].lengths, requests_per_second=4.0),
    level=LEVEL,
    family="g6",
)
ONE_TYPE = replace(CHAT, family="gr6")
"""One instance type with one layout, which takes a fifth of the time."""
size = cache(size_again)
"""Several tests look at one answer, and each takes up to a second."""


def price(answer: SizeAnswer) -> float:
    """The price of the recommended machines, or infinity."""
    if not answer.is_met:
        return float("inf")
    return answer.rows[0].rank[1]


def asked(load: float, level: ServiceLevel, *, users: bool = False, family: str = "gr6") -> SizeAnswer:
    traffic = Traffic(
        lengths=WORKLOADS["chat"].lengths,
        requests_per_second=None if users else load,
        concurrent_users=float(round(load * 20)) if users else None,
        think_seconds=5.0 if users else 0.0,
    )
    return size(replace(CHAT, traffic=traffic, level=level, family=family))


def test_more_load_and_a_stricter_level_never_need_less_among_several_sizes() -> None:
    strict = ServiceLevel(ttft=Limit(seconds=0.5, percentile=90), itl=Limit(seconds=0.02, percentile=50))
    prices = [price(asked(load, LEVEL, family="g6")) for load in (4.0, 20.0)]

    assert prices == sorted(prices)
    assert prices[0] <= price(asked(4.0, strict, family="g6"))


# The same examples each time: each takes seconds on a busy machine.
@settings(max_examples=3, derandomize=True)
@given(load=st.floats(0.5, 30.0), more=st.floats(1.0, 5.0), users=st.booleans())
def test_more_load_never_needs_less(load: float, more: float, users: bool) -> None:
    assert price(asked(load, LEVEL, users=users)) <= price(asked(load * more, LEVEL, users=users))


@settings(max_examples=3, derandomize=True)
@given(
    ttft=st.floats(0.2, 3.0),
    itl=st.floats(0.015, 0.1),
    looser=st.floats(1.0, 4.0),
    percentile=st.sampled_from((50, 90, 99)),
)
def test_a_looser_service_level_never_costs_more(ttft: float, itl: float, looser: float, percentile: int) -> None:
    def level(factor: float) -> ServiceLevel:
        return ServiceLevel(
            ttft=Limit(seconds=ttft * factor, percentile=percentile), itl=Limit(seconds=itl * factor, percentile=50)
        )

    assert price(asked(6.0, level(looser))) <= price(asked(6.0, level(1.0)))


def test_headroom_never_makes_it_cheaper() -> None:
    assert price(size(ONE_TYPE)) <= price(size(replace(ONE_TYPE, headroom=0.5)))


def test_the_rows_meet_the_level_at_the_load_and_the_first_is_the_cheapest_of_its_group() -> None:
    answer = size(CHAT)

    assert answer.is_met
    assert list(answer.rows) == sorted(answer.rows, key=lambda row: row.rank)
    for row in answer.rows:
        assert row.load_per_replica <= row.largest_load
        assert not row.replica.broken(row.at_load, LEVEL)
        assert row.plan.replicas * row.load_per_replica == pytest.approx(4.0)


def test_the_recommended_row_meets_the_level_where_the_load_is_its_largest() -> None:
    traffic = Traffic(lengths=WORKLOADS["summary"].lengths, concurrent_users=60.0)
    level = ServiceLevel(ttft=Limit(seconds=3.0, percentile=90))
    answer = size(replace(ONE_TYPE, traffic=traffic, level=level))

    assert answer.is_met
    for row in answer.rows:
        assert row.at_load.percentile("ttft", 90) <= 3.0
        assert not row.replica.broken(row.replica.at(row.largest_load), level)


def test_thinking_users_and_their_rate_of_requests_see_the_same_machine() -> None:
    thinking = Traffic(lengths=WORKLOADS["chat"].lengths, concurrent_users=1000.0, think_seconds=120.0)
    users = size(replace(ONE_TYPE, traffic=thinking, level=ServiceLevel())).rows[0]
    rate = users.at_load.requests_per_second * users.plan.replicas
    at_rate = replace(ONE_TYPE, traffic=replace(CHAT.traffic, requests_per_second=rate), level=ServiceLevel())
    requests = size(at_rate).rows[0]

    assert users.output_tokens_per_second == pytest.approx(rate * 256, rel=0.15)
    assert users.output_tokens_per_second == pytest.approx(requests.output_tokens_per_second, rel=0.15)


def test_of_layouts_at_one_price_the_better_known_and_faster_is_first() -> None:
    answer = size(replace(CHAT, traffic=replace(CHAT.traffic, requests_per_second=0.1)))
    same = [row for row in answer.rows if row.rank[1] == answer.rows[0].rank[1]]

    assert len({row.plan.ranks for row in same}) > 1
    assert answer.rows[0].total_largest_load == max(row.total_largest_load for row in same)


def test_a_tiny_load_needs_one_replica() -> None:
    answer = size(replace(ONE_TYPE, traffic=replace(CHAT.traffic, requests_per_second=1e-9)))

    assert answer.rows[0].plan.replicas == 1


def test_the_nearest_level_is_one_that_its_machine_meets() -> None:
    answer = size(replace(ONE_TYPE, level=ServiceLevel(ttft=Limit(seconds=0.001, percentile=90))))

    assert not answer.is_met
    assert answer.level.ttft is not None
    assert answer.rows[0].at_load.percentile("ttft", 90) <= answer.level.ttft.seconds < 1.0
    again = size(replace(ONE_TYPE, level=answer.level))
    assert again.is_met


def test_a_load_above_the_allowed_nodes_says_how_many_are_needed() -> None:
    traffic = replace(CHAT.traffic, requests_per_second=500.0)
    answer = size(replace(CHAT, traffic=traffic, max_nodes=1))

    assert answer.rows == ()
    assert answer.too_many_nodes is not None
    assert answer.too_many_nodes.nodes > 1


def test_a_context_holds_the_longest_request() -> None:
    long = replace(ONE_TYPE, traffic=Traffic(lengths=fixed(10_000, 500), requests_per_second=0.2), level=ServiceLevel())

    assert {row.plan.options.max_model_len for row in size(long).rows} == {11_264}


def test_a_shared_prefix_never_needs_more() -> None:
    rag = Traffic(lengths=fixed(3000, 200), requests_per_second=6.0)
    shared = replace(rag, shared_prefix_tokens=2000)

    assert price(size(replace(ONE_TYPE, traffic=shared))) <= price(size(replace(ONE_TYPE, traffic=rag)))


def test_a_plot_has_the_first_limit_and_points_around_the_load() -> None:
    answer = size(ONE_TYPE)
    plot = load_plot(answer.rows, LEVEL, fine=True)

    assert (plot.title, plot.load, plot.limit) == ("TTFT p90", 4.0, LEVEL.ttft)
    for curve in plot.curves:
        assert curve.seconds_at(4.0) is not None
        assert [load for load, _ in curve.points] == sorted(load for load, _ in curve.points)


PROMPTS = fixed(1000, 1)
ONE_SECOND = ServiceLevel(ttft=Limit(seconds=1.0, percentile=90))


def test_a_rate_of_prompts_alone_uses_most_of_a_machine() -> None:
    """Each request is its prompt, so that most of its time may be a wait for the prompts before it."""
    traffic = Traffic(lengths=PROMPTS, requests_per_second=500.0)
    row = size(replace(ONE_TYPE, traffic=traffic, level=ONE_SECOND)).rows[0]

    served = row.replica.at(row.largest_load).requests_per_second
    assert served > 0.7 * row.replica.full.requests_per_second.best


def test_users_with_prompts_alone_may_wait_as_long_as_the_level_says() -> None:
    traffic = Traffic(lengths=PROMPTS, concurrent_users=500.0)
    row = size(replace(ONE_TYPE, traffic=traffic, level=ONE_SECOND)).rows[0]

    assert row.replica.at(row.largest_load).percentile("ttft", 90) > 0.7
