"""The versions and models of vLLM's second model runner."""

import pytest

from tests.support.plans import LLAMA_8B, QWEN_235B
from vllm_eks.planner.engine.engine_flags import NO_FLAGS, EngineFlags
from vllm_eks.planner.engine.model_runner import counts_graphs, schedules_ahead, uses_second_runner
from vllm_eks.planner.engine.speculation import Speculation
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.vllm_version import Version


@pytest.mark.parametrize(
    ("model", "version", "second"),
    [
        ("Qwen/Qwen3-8B", (0, 21, 0), False),
        ("Qwen/Qwen3-8B", (0, 22, 0), True),
        (LLAMA_8B, (0, 22, 0), False),
        (LLAMA_8B, (0, 23, 0), True),
        ("microsoft/phi-4", (0, 24, 0), False),
        ("microsoft/phi-4", (0, 25, 0), True),
        (QWEN_235B, (0, 28, 0), False),
        (QWEN_235B, (0, 29, 0), True),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", (0, 28, 0), False),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", (0, 29, 0), True),
    ],
)
def test_the_second_runner_serves_more_models_in_each_version(model: str, version: Version, second: bool) -> None:
    assert uses_second_runner(find_model(model).architecture, version) is second


@pytest.mark.parametrize(("version", "second"), [((0, 23, 0), False), ((0, 24, 0), True)])
def test_listed_classes_with_quantized_weights_follow_one_version_later(version: Version, second: bool) -> None:
    model = find_model("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic").architecture
    assert uses_second_runner(model, version) is second


@pytest.mark.parametrize(
    ("version", "counts"),
    [((0, 19, 1), False), ((0, 20, 0), True), ((0, 22, 1), True), ((0, 23, 0), False), ((0, 29, 0), True)],
)
def test_the_second_runner_counts_no_graphs_before_0_29(version: Version, counts: bool) -> None:
    assert counts_graphs(find_model(LLAMA_8B).architecture, version) is counts


@pytest.mark.parametrize(
    ("drafting", "of_27", "of_32"),
    [
        (None, True, True),
        ("eagle3", True, True),
        ("ngram", False, True),
        ("draft_model", False, True),
        ("suffix", False, False),
        ("medusa", False, False),
    ],
)
def test_some_drafting_needs_the_first_runner(drafting: str | None, of_27: bool, of_32: bool) -> None:
    model = find_model("Qwen/Qwen3-8B").architecture
    assert uses_second_runner(model, (0, 27, 0), drafting) is of_27
    assert uses_second_runner(model, (0, 32, 0), drafting) is of_32
    assert counts_graphs(model, (0, 27, 0), drafting) is not of_27


@pytest.mark.parametrize(
    ("method", "of_27", "of_28"),
    [("ngram", False, False), ("suffix", False, False), ("draft_model", False, True), ("eagle3", True, True)],
)
def test_some_drafting_is_not_scheduled_ahead(method: str, of_27: bool, of_28: bool) -> None:
    flags = EngineFlags(speculation=Speculation(method=method, tokens=3))
    assert [schedules_ahead(version, flags) for version in ((0, 27, 1), (0, 28, 0))] == [of_27, of_28]


@pytest.mark.parametrize(("asked", "ahead"), [(None, True), (True, True), (False, False)])
def test_the_flag_decides_whether_batches_are_scheduled_ahead(asked: bool | None, ahead: bool) -> None:
    assert schedules_ahead((0, 32, 0), NO_FLAGS)
    assert schedules_ahead((0, 32, 0), EngineFlags(async_scheduling=asked)) is ahead
