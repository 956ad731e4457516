"""What is predicted for a benchmark."""

from dataclasses import replace

import pytest

from tests.support.benchmarks import RATE, USERS, predicted
from tests.support.plans import QWEN_8B, planned
from vllm_eks.bench.prediction import predict, predict_percentiles

PLAN = planned(QWEN_8B, "g6e.xlarge")


def test_replicas_share_the_load_and_their_tokens_add_up() -> None:
    one, two = predicted(PLAN), predicted(PLAN, replace(USERS, concurrent_users=64), replicas=2)

    assert two.output_tokens_per_second.best == pytest.approx(2 * one.output_tokens_per_second.best)
    assert two.tpot_seconds.best == pytest.approx(one.tpot_seconds.best)


def test_in_a_short_benchmark_the_users_who_begin_at_once_wait_for_each_other() -> None:
    short, long = (predicted(PLAN, replace(USERS, requests=number)) for number in (32, 3200))

    assert short.ttft_seconds.best > long.ttft_seconds.best
    assert short.tpot_seconds.best == pytest.approx(long.tpot_seconds.best)


def test_a_shared_prefix_is_read_once_unless_the_stack_keeps_no_prefixes() -> None:
    shared = replace(USERS, shared_prefix_tokens=900)
    keeps_none = planned(QWEN_8B, "g6e.xlarge", enable_prefix_caching=False)

    assert predicted(PLAN, shared).ttft_seconds.best < 0.8 * predicted(PLAN).ttft_seconds.best
    assert predicted(keeps_none, shared).ttft_seconds.best == predicted(keeps_none).ttft_seconds.best


def test_at_a_rate_the_last_answers_count_in_the_time_of_the_benchmark() -> None:
    few, many = predicted(PLAN, replace(RATE, requests=20)), predicted(PLAN, replace(RATE, requests=20_000))

    assert many.requests_per_second.best == pytest.approx(1.0, rel=0.01)
    seconds = few.ttft_seconds.best + 255 * few.tpot_seconds.best
    assert few.requests_per_second.best == pytest.approx(20 / (20 + seconds), rel=0.01)


def test_the_factor_of_the_stack_is_in_the_prediction() -> None:
    calibrated = planned(QWEN_8B, "g6e.xlarge", measured_step_factor=1.5)

    assert predicted(calibrated).tpot_seconds.best == pytest.approx(1.5 * predicted(PLAN).tpot_seconds.best)
    assert predicted(calibrated).step_factor == 1.5
    assert (predicted(calibrated).label, predicted(PLAN).label) == ("calibrated", "estimated")
    assert predicted(calibrated, step_factor=1.0) == predicted(PLAN)


def test_a_plan_without_a_layout_has_no_prediction() -> None:
    assert predict(replace(PLAN, layout=None), USERS, replicas=1) is None


def test_percentiles_come_from_the_replay_and_grow_with_the_load() -> None:
    few, many = (predict_percentiles(PLAN, replace(USERS, concurrent_users=users), replicas=1) for users in (4, 64))

    assert few is not None and many is not None  # noqa: PT018
    assert set(few) == {"ttft", "itl", "e2e"}
    for latency in few:
        assert list(few[latency]) == [50, 90, 99]
        assert sorted(few[latency].values()) == list(few[latency].values())
        assert few[latency][50] < many[latency][50]
    assert predict_percentiles(PLAN, replace(USERS, concurrent_users=128), replicas=2) == many
    assert predict_percentiles(replace(PLAN, layout=None), USERS, replicas=1) is None
