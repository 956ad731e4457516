"""Real results of `vllm bench serve` of three versions, and what is none."""

import json

import pytest

from tests.fakes.bench_cluster import RESULT, RESULTS
from vllm_eks.bench.measured import measured_of
from vllm_eks.errors import WrongQuestion

VERSIONS = ("0.21.0", "0.27.0", "0.32.0")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_real_result_of_each_version_is_read(version: str) -> None:
    result = json.loads((RESULTS / f"{version}.json").read_text())
    found = measured_of(result, where="the result")

    assert (found.completed, found.failed) == (result["num_prompts"], 0)
    assert found.requests_per_second == pytest.approx(found.completed / found.duration_seconds)
    assert found.output_tokens_per_second == pytest.approx(found.output_tokens / found.duration_seconds)
    assert found.ttft_seconds.percentiles[50] == result["median_ttft_ms"] / 1000
    assert set(found.e2e_seconds.percentiles) == {50, 90, 99}
    # An answer is its first token, and then each other one.
    tokens = found.output_tokens / found.completed
    answer = found.ttft_seconds.mean + (tokens - 1) * found.tpot_seconds.mean
    assert found.e2e_seconds.mean == pytest.approx(answer, rel=0.01)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"completed": 0, "failed": 7}, "result.json: none of 7 requests was answered: see the log of the model"),
        (
            {"output_throughput": None},
            "result.json: output_throughput None must be a number: is it a result of vllm bench serve?",
        ),
        (
            {"mean_tpot_ms": float("nan")},
            "result.json: mean_tpot_ms nan must be a number: is it a result of vllm bench serve?",
        ),
        (
            {"p99_ttft_ms": "fast"},
            "result.json: p99_ttft_ms 'fast' must be a number: is it a result of vllm bench serve?",
        ),
        (
            {"failed": True},
            "result.json: failed True must be a number: is it a result of vllm bench serve?",
        ),
    ],
)
def test_another_object_is_a_wrong_question(changed: dict[str, object], said: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        measured_of({**json.loads(RESULT), **changed}, where="result.json")
    assert str(caught.value) == said
