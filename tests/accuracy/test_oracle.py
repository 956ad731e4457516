"""The planner and vLLM's own classes, with the table in tests/data/oracle."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.accuracy.oracle import ESTIMATED_WITHIN, TESTED, Answer, answers, questions
from tests.accuracy.oracle_report import main
from tests.accuracy.question import Question
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.models.from_fields.traits import traits_of

TABLES = ("public", "drawn", "options", "more")
ASKED = [question for name in TABLES for question in questions(TESTED / f"{name}.json")]
UNKNOWN = {
    "default-InklingForConditionalGeneration": "its config does not say how its layers mix the tokens",
    "asked-InklingMM": "its config does not say how its layers mix the tokens",
    "asked-VoxtralRealtime": "its encoder also keeps caches",
    "asked-Dots3Note": "its caches have not been compared with vLLM's class",
    "asked-Glm5Next": "no public config has been compared with vLLM's class",
    "asked-Glm5NextMM": "no public config has been compared with vLLM's class",
    "asked-DeepseekV41": "its caches have not been compared with vLLM's class",
    "asked-GPTBigCodeForCausalLM": "TP does not split its layers",
}
"""Models that the planner calls unknown, with the reason."""
STILL_WRONG: dict[str, set[str]] = {
    "hand-BloomForCausalLM sm9.0 0.32.0": {"start"},
}
"""Rows that the planner answers differently: vLLM starts a stage without layers, which has no use (Bloom, PP=3)."""


@cache
def answers_of(index: int) -> list[Answer]:
    """Return the layouts of one model of ASKED. They are planned here, not when pytest collects."""
    return list(answers([ASKED[index]]))


def every_answer() -> list[Answer]:
    return [one for index in range(len(ASKED)) for one in answers_of(index)]


@pytest.mark.parametrize("index", range(len(ASKED)), ids=lambda index: f"{ASKED[index].row['model']} {index}")
def test_the_planner_agrees_with_vllm_s_classes(index: int) -> None:
    wrong = {
        f"{one.name} {one.label}": one.disagreements
        for one in answers_of(index)
        if not set(one.disagreements) <= STILL_WRONG.get(one.name, set())
    }
    assert wrong == {}


def test_a_model_that_is_not_planned_is_unknown_with_a_reason() -> None:
    unmapped = {one.row["model"]: str(one.unmapped) for one in ASKED if one.unmapped}
    assert unmapped.keys() == UNKNOWN.keys()
    assert all(UNKNOWN[model] in reason for model, reason in unmapped.items())


def names_within_2_percent() -> dict[str, bool]:
    """Return whether all stages of all rows of each architecture name are. Unknown ones are not."""
    within: dict[str, bool] = {one.row["config"]["architectures"][0]: False for one in ASKED if one.unmapped}
    for one in every_answer():
        if not one.refused_by_vllm:
            name = one.question.facts.architecture.name
            within[name] = within.get(name, True) and abs(one.weights_error) <= ESTIMATED_WITHIN
    return within


def test_95_in_100_names_of_the_registry_are_within_2_percent_of_vllm_s_classes() -> None:
    """Names that were not asked count as missed, although a config may not be had."""
    registry = read_json_object(TESTED / "registry.json")
    within = names_within_2_percent()
    names = [*registry["text"], *registry["multimodal"]]
    assert sum(within.get(name, False) for name in names) >= 0.95 * len(names)
    assert {name for name in names if name not in within} == set(registry["not_asked"])


def test_a_name_that_was_never_asked_is_unknown() -> None:
    not_asked = read_json_object(TESTED / "registry.json")["not_asked"]
    assert {name for name in not_asked if not traits_of(name).why_unknown} == set()


def test_a_wrong_answer_disagrees() -> None:
    good = next(
        one for one in every_answer() if not one.disagreements and "kv" in one.truth and not one.refused_by_vllm
    )
    stage = {"parameter_and_buffer_bytes": 1.02 * good.truth["stages"][0]["parameter_and_buffer_bytes"]}
    tokens = {**good.truth["kv"], "tokens_printed": good.truth["kv"]["tokens_printed"] + 16}
    wrong = {**good.truth, "stages": [stage, *good.truth["stages"][1:]], "kv": tokens}
    assert Answer(good.question, wrong).disagreements == ("weights", "tokens")
    assert Answer(good.question, {**good.truth, "refused": "no"}).disagreements == ("start",)


def test_a_model_that_cannot_be_mapped_has_a_reason() -> None:
    assert "compute capability 3.5" in str(Question({**ASKED[0].row, "compute_capability": "3.5"}).unmapped)


def test_the_report_prints_a_table_and_fails_when_rows_disagree_or_are_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = [sys.executable, "-m", "tests.accuracy.oracle_report", TESTED / "public.json"]
    found = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    public = list(answers(questions(TESTED / "public.json")))
    assert found.returncode == int(any(one.disagreements for one in public))
    assert f"of {len(public)} layouts agree" in found.stdout
    assert main(["nothing.json"]) == 2
    assert capsys.readouterr().out == "there is no table nothing.json: name one with make oracle TABLE=file\n"
