"""The speed model on public benchmarks: scores, ranges, and choices between machines."""

import json
from collections.abc import Mapping

import pytest

from tests.accuracy.bench import index
from tests.accuracy.bench.choices import choose
from tests.accuracy.bench.machines import known_name, machine_of
from tests.accuracy.bench.models import model_of
from tests.accuracy.bench.predict import Prediction, predict_all
from tests.accuracy.bench.rows import SHARED, read_rows, row_of, scored_regimes
from tests.accuracy.bench.score import quantile, score
from tests.support.speed import speed_of
from vllm_eks.planner.speed.evidence import MEASURED
from vllm_eks.planner.speed.steady import Lengths, Limits, steady_state

ROWS = scored_regimes(read_rows(SHARED))
GPUS = ("A100-40", "A100-80", "B200", "H100", "H200", "L4", "RTX PRO 6000")
"""GPUs with ten rows or more."""
Predictions = Mapping[str, Prediction]


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    """The predictions of all rows. A fixture, because each process of a run imports this file."""
    return predict_all(ROWS)


def test_errors_are_within_the_targets(predictions: Predictions) -> None:
    found = score(ROWS, predictions, lambda row: row.gpu)["ALL"]

    assert found.missing == 0
    for measure in ("output tok/s", "TPOT"):
        assert found.median(measure) <= 0.08
        assert found.ninth_decile(measure) <= 0.30
    assert found.median("TTFT") <= 0.20


@pytest.mark.parametrize("gpu", GPUS)
def test_no_gpu_is_predicted_too_fast_or_too_slow(gpu: str, predictions: Predictions) -> None:
    found = score(ROWS, predictions, lambda row: row.gpu)[gpu]

    assert 0.9 <= found.bias("output tok/s") <= 1.1


@pytest.mark.parametrize("measure", ["output tok/s", "TPOT", "TTFT"])
def test_the_ranges_hold_most_rows_and_not_all(measure: str, predictions: Predictions) -> None:
    found = score(ROWS, predictions, lambda row: row.gpu)["ALL"]

    # The constants have seen these rows. Of rows that they have not seen, the ranges hold four in five.
    assert 0.75 <= found.held(measure) <= 0.95


def test_of_48_drawn_choices_at_most_3_miss_the_service_level_and_40_cost_about_the_least(
    predictions: Predictions,
) -> None:
    found = choose(ROWS, predictions, count=10 * 48, seed=1)

    assert found.misses <= 10 * 3
    assert found.close >= 10 * 40


def test_a_sweep_has_the_weight_of_the_root_of_its_rows() -> None:
    assert quantile([(1.0, 1.0), (2.0, 1.0), (3.0, 2.0)], 0.5) == 2.0
    assert quantile([(3.0, 2.0), (1.0, 1.0), (2.0, 0.5)], 0.9) == 3.0


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("NVIDIA A100-SXM4-40GB", "A100-40"),
        ("A100", "A100"),
        ("H100 SXM5 80GB", "H100"),
        ("H100 NVL", "H100 NVL"),
        ("NVIDIA L40S", "L40S"),
        ("TPU v5", "TPU v5"),
    ],
)
def test_gpus_are_known_by_the_names_that_sources_give_them(written: str, known: str) -> None:
    assert known_name(written) == known
    assert (machine_of(written, 1) is None) == (written == "TPU v5")


@pytest.mark.parametrize(
    ("name", "dtype", "billions", "experts", "lock"),
    [
        ("neuralmagic/Meta-Llama-3.1-8B-Instruct-FP8", "fp8", 8.03, 0, "meta-llama/Llama-3.1-8B-Instruct"),
        ("Qwen/Qwen3-32B-FP8", "fp8", 32.8, 0, "Qwen/Qwen3-32B-FP8"),
        ("someone/A-New-70B", "bf16", 70.5, 0, "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic"),
        ("someone/New-235B-A22B", "gptq-int4", 230.0, 128, "Qwen/Qwen3-235B-A22B"),
    ],
)
def test_a_model_is_found_by_its_name_or_its_size(
    name: str, dtype: str, billions: float, experts: int, lock: str
) -> None:
    assert model_of(name, dtype, billions, experts).lock == lock


@pytest.mark.parametrize(
    ("said", "notes", "version"),
    [
        ("v0.10.2", "", (0, 10, 2)),
        ("0.10-0.11 (Oct-Nov 2025, latest)", "", (0, 10, 0)),
        ("0.11+ (Feb 2026)", "", (0, 17, 0)),
        (None, "measured 2026-03", (0, 18, 0)),
        (None, "", (0, 11, 0)),
    ],
)
def test_the_version_of_a_row_is_the_one_it_says_or_that_of_its_month(
    said: str | None, notes: str, version: tuple[int, int, int]
) -> None:
    assert row_of({"id": "x", "vllm_version": said, "notes": notes}).version == version


def test_a_row_with_few_fields_is_predicted() -> None:
    row = {"id": "x", "model": "a/B-8B", "gpu": "L4", "concurrency": 4, "source": "s", "base": "b"}
    found = predict_all([row_of(row)])

    assert found["x"].output_tokens_per_second.best > 0


def test_the_ids_of_measured_machines_are_those_of_the_rows() -> None:
    assert json.loads(MEASURED.read_text()) == index.index()


@pytest.mark.parametrize(
    ("instance", "requests", "kv_tokens", "batch", "measured"),
    [("g6.xlarge", 32, 32_480, 2048, 365), ("p5.4xlarge", 64, 454_192, 8192, 5118)],
)
def test_llama_3_1_8b_is_inside_its_range_where_the_roofline_was_not(
    instance: str, requests: int, kv_tokens: int, batch: int, measured: float
) -> None:
    # The sources do not say the load. Chats of 512 tokens in and 256 out are assumed.
    limits = Limits(max_num_seqs=256, max_num_batched_tokens=batch, kv_tokens=kv_tokens)
    lengths = Lengths(input_tokens=512, output_tokens=256)
    speed = speed_of("meta-llama/Llama-3.1-8B-Instruct", instance)
    found = steady_state(speed, concurrency=requests, lengths=lengths, limits=limits).output_tokens_per_second

    assert found.low <= measured <= found.high


@pytest.mark.parametrize("gpu", ["L40S", "H100"])
def test_mlperf_s_machines_are_inside_their_range(gpu: str) -> None:
    (row,) = (one for one in read_rows(SHARED) if one.source == "redhat-mlperf-5.1" and one.gpu == gpu)
    found = predict_all([row])[row.id].output_tokens_per_second

    assert row.output_tps is not None
    assert found.low <= row.output_tps <= found.high
