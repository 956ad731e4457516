"""Every line that a refusal prints works when it is followed alone, with everything else kept."""

from dataclasses import replace
from random import Random

import pytest

from tests.accuracy.drawn_plans import Question
from tests.accuracy.suggestions import followed, refused_questions, works
from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_8B, QWEN_32B, planned
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.search.compare import without_driver
from vllm_eks.planner.search.plan_model import plan


def test_each_suggestion_of_a_random_refusal_works_alone() -> None:
    lines = 0
    for question, suggestions in refused_questions(Random(7), 25):
        for line in suggestions:
            lines += 1
            assert works(question, line), (question, line)
    assert lines > 10, "otherwise this proves little"


@pytest.mark.parametrize(
    ("model", "instance", "requested", "suggestions"),
    [
        (
            QWEN_32B,
            "g7e.2xlarge",
            {"max_model_len": 131072},
            ("--max-model-len 40960 fits 1 x g7e.2xlarge ($3.36/h)",),
        ),
        (
            LLAMA_8B,
            "g6.xlarge",
            {"pipeline_parallel_size": 99},
            ("--pipeline-parallel-size 1: 1 x g6.xlarge ($0.80/h)",),
        ),
        (
            QWEN_8B,
            "g6.xlarge",
            {"max_num_batched_tokens": 100_000_000},
            ("--max-num-batched-tokens 16384 (instead of 100000000) fits 1 x g6.xlarge ($0.80/h)",),
        ),
        (LLAMA_8B, "g6.12xlarge", {"tensor_parallel_size": 3}, ("TP=4 PP=1 on 1 x g6.12xlarge ($4.60/h)",)),
    ],
)
def test_a_single_change_that_is_enough_is_suggested_first(
    model: str, instance: str, requested: dict[str, object], suggestions: tuple[str, ...]
) -> None:
    found = planned(model, instance, **requested)
    assert found.suggestions[: len(suggestions)] == suggestions


def test_a_suggested_type_has_all_other_changes() -> None:
    found = planned(LLAMA_70B, "g6.xlarge", max_model_len=200_000, tensor_parallel_size=8)
    assert found.suggestions[-1] == (
        "the cheapest that fits: TP=2 PP=1 on 1 x g7e.12xlarge ($8.29/h), with --max-model-len 131072"
    )


def test_the_text_of_a_suggestion_can_be_followed() -> None:
    question = Question(find_model(LLAMA_8B), find_instance("g6.xlarge"), ServingOptions(max_num_seqs=512))
    smaller = followed(question, "--max-num-seqs 64 (instead of 512) fits 1 x g6.xlarge ($0.80/h)")
    assert (smaller.options, smaller.instance) == (ServingOptions(max_num_seqs=64), question.instance)
    other = followed(
        question, "the cheapest that fits: TP=2 PP=3 on 3 x g7e.2xlarge ($10.09/h), with --max-model-len 8192"
    )
    wanted = replace(question.options, tensor_parallel_size=2, pipeline_parallel_size=3, max_model_len=8192)
    assert (other.options, other.instance.type) == (wanted, "g7e.2xlarge")
    assert not works(question, "--max-num-seqs 64 and --pipeline-parallel-size 99")


def test_suggestions_stay_within_the_largest_number_of_nodes() -> None:
    facts, instance = find_model(LLAMA_70B), find_instance("g6.12xlarge")
    one_stage, free = ServingOptions(pipeline_parallel_size=1), ServingOptions()
    other = "the cheapest that fits: TP=2 PP=1 on 1 x g7e.12xlarge ($8.29/h)"
    assert plan(facts, instance, one_stage).suggestions[0] == "--pipeline-parallel-size 2: 2 x g6.12xlarge ($9.20/h)"
    assert plan(facts, instance, one_stage, max_nodes=1).suggestions == (other,)
    too_many = plan(facts, instance, free, max_nodes=1)
    assert [one.message for one in too_many.refusals] == ["2 x g6.12xlarge are needed, and --max-nodes is 1"]
    assert too_many.suggestions == (other,)
    assert plan(facts, instance, free, max_nodes=2).fits


def test_no_suggestion_keeps_a_type_without_a_driver() -> None:
    refused = without_driver(
        plan(find_model(QWEN_8B), find_instance("g7.2xlarge"), ServingOptions(max_model_len=99_999))
    )
    assert len(refused.suggestions) == 1
    assert refused.suggestions[0].startswith("the cheapest that fits: ")
