"""One factor from a benchmark, and the benchmarks that give none."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.benchmarks import RATE, USERS, benchmark, predicted
from tests.support.plans import QWEN_8B, planned
from vllm_eks.bench.calibration import calibrate
from vllm_eks.bench.load import Load
from vllm_eks.bench.saved import Benchmark
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.load.reading import traffic_and_level
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.planner.sizing.load_warnings import load_warnings

PLAN = planned(QWEN_8B, "g6e.xlarge")


@pytest.mark.parametrize("load", [USERS, RATE], ids=["users", "a rate"])
@pytest.mark.parametrize("wanted", [0.8, 1.0, 1.37])
def test_with_the_factor_the_predicted_time_of_a_token_is_the_measured_one(load: Load, wanted: float) -> None:
    measured = predicted(PLAN, load, step_factor=wanted).tpot_seconds.best
    found = calibrate(PLAN, benchmark(PLAN, load, tpot_seconds=measured), where="result.json")

    assert found.factor == pytest.approx(wanted, abs=0.001)
    assert found.corrected.tpot_seconds.best == pytest.approx(measured, rel=0.002)
    assert found.uncorrected == predicted(PLAN, load)


def test_a_second_calibration_does_not_multiply_the_first() -> None:
    calibrated = planned(QWEN_8B, "g6e.xlarge", measured_step_factor=1.37)
    measured = predicted(calibrated).tpot_seconds.best
    found = calibrate(calibrated, benchmark(calibrated, tpot_seconds=measured), where="result.json")

    assert found.factor == pytest.approx(1.37, abs=0.001)


def test_the_factor_of_two_replicas_is_of_one() -> None:
    load = replace(USERS, concurrent_users=64)
    measured = predicted(PLAN, load, replicas=2, step_factor=1.2).tpot_seconds.best
    found = calibrate(PLAN, benchmark(PLAN, load, tpot_seconds=measured, replicas=2), where="result.json")

    assert found.factor == pytest.approx(1.2, abs=0.001)


OTHER = replace(benchmark(PLAN).setup, instance_type="g5.xlarge", vllm_version="0.21.0")


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (
            replace(benchmark(PLAN), setup=OTHER),
            "result.json measured Qwen/Qwen3-8B on g5.xlarge, TP=1 PP=1, vLLM 0.21.0, and Pulumi.dev.yaml has "
            "Qwen/Qwen3-8B on g6e.xlarge, TP=1 PP=1, vLLM 0.27.0: measure again",
        ),
        (
            benchmark(PLAN, completed=49),
            "result.json: 49 requests are too few: measure with --requests 50 or more",
        ),
        (
            benchmark(PLAN, failed=3),
            "result.json: 3 of 259 requests failed: measure again with a lower load",
        ),
        (
            benchmark(PLAN, total_output_tokens=256 * 4),
            "result.json: answers of 4 tokens are too short: measure with --output 16 or more",
        ),
    ],
    ids=["another setup", "few requests", "failed requests", "short answers"],
)
def test_a_benchmark_that_gives_no_factor_is_refused(measured: Benchmark, said: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        calibrate(PLAN, measured, where="result.json")
    assert str(caught.value) == said


@pytest.mark.parametrize("factor", [0.2, 4.5])
def test_a_time_far_from_the_prediction_is_refused(factor: float) -> None:
    best = predicted(PLAN).tpot_seconds.best
    with pytest.raises(WrongQuestion) as caught:
        calibrate(PLAN, benchmark(PLAN, tpot_seconds=factor * best), where="result.json")
    assert str(caught.value) == (
        f"result.json: {1000 * factor * best:.1f} ms for an output token are too far from the predicted "
        f"{1000 * best:.1f} ms for a correction (factors from 0.25 to 4): look for another cause, such as a busy node"
    )


def test_a_speed_that_is_not_predicted_is_not_corrected() -> None:
    unknown: Any = replace(PLAN, instance=replace(PLAN.instance, gpu_memory_bandwidth_gbytes_per_second=None))
    with pytest.raises(WrongQuestion) as caught:
        calibrate(unknown, benchmark(PLAN), where="result.json")
    assert str(caught.value) == (
        "the speed of Qwen/Qwen3-8B on g6e.xlarge, TP=1 PP=1, vLLM 0.27.0 is not predicted, so there is nothing to "
        "correct"
    )


def test_the_preview_s_check_of_the_traffic_uses_the_factor() -> None:
    words = TrafficWords(concurrent_users=32, input="1024", output="256", e2e="10s@p50")
    fast, slow = (planned(QWEN_8B, "g6e.xlarge", measured_step_factor=factor) for factor in (0.5, 2.0))

    assert list(load_warnings(fast, *traffic_and_level(words))) == []
    (warning,) = load_warnings(slow, *traffic_and_level(words))
    assert "over your 10 s" in warning
