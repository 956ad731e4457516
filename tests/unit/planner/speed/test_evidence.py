"""The label of an estimate, and its rows."""

from itertools import pairwise

import pytest

from tests.support.speed import speed_of
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.speed.calibrated import CALIBRATED
from vllm_eks.planner.speed.evidence import LABELS, evidence, spreads


@pytest.mark.parametrize(
    ("model", "instance", "tensor", "pipeline", "label"),
    [
        ("nvidia/Llama-3.1-70B-Instruct-FP8", "p5.48xlarge", 4, 1, "measured"),
        ("openai/gpt-oss-120b", "p6-b200.48xlarge", 8, 1, "measured"),
        ("Qwen/Qwen2.5-7B-Instruct", "p5.48xlarge", 1, 1, "derived"),
        ("Qwen/Qwen2.5-7B-Instruct", "p5.48xlarge", 1, 2, "estimated"),
        ("Qwen/Qwen2.5-7B-Instruct", "g6e.xlarge", 1, 1, "estimated"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", "p5.48xlarge", 4, 1, "estimated"),
    ],
)
def test_the_label_says_on_what_an_estimate_rests(
    model: str, instance: str, tensor: int, pipeline: int, label: str
) -> None:
    found = evidence(
        find_model(model), find_instance(instance), tensor_parallel_size=tensor, pipeline_parallel_size=pipeline
    )

    assert found.label == label
    assert bool(found.row_ids) == (label == "measured")


def test_the_two_kinds_of_a100_are_different_machines() -> None:
    small, large = (
        evidence(
            find_model("meta-llama/Meta-Llama-3-8B-Instruct"),
            find_instance(name),
            tensor_parallel_size=1,
            pipeline_parallel_size=1,
        )
        for name in ("p4d.24xlarge", "p4de.24xlarge")
    )

    assert small.label == "measured"
    assert not set(small.row_ids) & set(large.row_ids)


def test_less_evidence_never_has_a_narrower_range() -> None:
    found = [spreads()[label] for label in LABELS]

    for better, worse in pairwise(found):
        for one, other in ((better.output, worse.output), (better.ttft, worse.ttft), (better.tpot, worse.tpot)):
            assert other.low <= one.low < 1 < one.high <= other.high


@pytest.mark.parametrize(
    ("model", "instance", "tensor"),
    [("Qwen/Qwen3-8B", "g6e.xlarge", 1), ("nvidia/Llama-3.1-70B-Instruct-FP8", "p5.48xlarge", 4)],
)
def test_a_calibrated_stack_has_its_own_label_and_no_wider_range(model: str, instance: str, tensor: int) -> None:
    before = speed_of(model, instance, tensor=tensor).evidence
    after = speed_of(model, instance, tensor=tensor, measured_step_factor=1.2).evidence

    assert (after.label, after.row_ids) == ("calibrated", before.row_ids)
    for of_before, of_after in (
        (before.spread.output, after.spread.output),
        (before.spread.ttft, after.spread.ttft),
        (before.spread.tpot, after.spread.tpot),
    ):
        assert of_before.low <= of_after.low < 1 < of_after.high <= of_before.high
    assert after.spread.output.high <= CALIBRATED.output.high
