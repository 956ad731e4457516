"""The planner against vLLM's own classes, on the table in tests/data/oracle."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.accuracy.oracle import TESTED, Answer, Question, answers, questions

ASKED = questions(TESTED / "public.json")
ANSWERS = list(answers(ASKED))
STILL_WRONG = {
    "DeepSeek-V3 sm8.6 0.32.0": {"start"},
    "DeepSeek-V3.2 sm9.0 0.32.0": {"tokens", "KV bytes"},
    "GLM-5-FP8 sm9.0 0.32.0": {"tokens"},
    "Qwen3-VL-8B-Instruct sm8.6 0.32.0": {"weights"},
    "gemma-3-4b-it sm8.6 0.21.0": {"weights"},
    "gemma-3-4b-it sm8.6 0.32.0": {"weights"},
    "gemma-3-27b-it sm8.6 0.32.0": {"weights"},
    "Mistral-Small-3.2-24B-Instruct-2506 sm8.6 0.32.0": {"weights"},
    "gpt-oss-20b sm9.0 0.32.0": {"weights"},
    "gpt-oss-120b sm9.0 0.32.0": {"weights"},
    "granitemoehybrid sm9.0 0.32.0": {"weights", "tokens", "start"},
}
"""Rows with a known fault. Whoever mends one deletes its line."""


@pytest.mark.parametrize("one", ANSWERS, ids=lambda one: f"{one.name} {one.label}")
def test_the_planner_says_what_vllm_s_classes_say(one: Answer) -> None:
    assert set(one.disagreements) <= STILL_WRONG.get(one.name, set()), (one.weights_error, one.tokens)


def test_a_wrong_answer_disagrees() -> None:
    good = next(one for one in ANSWERS if not one.disagreements and "kv" in one.truth and not one.refused_by_vllm)
    stage = {"parameter_and_buffer_bytes": 1.02 * good.truth["stages"][0]["parameter_and_buffer_bytes"]}
    tokens = {**good.truth["kv"], "tokens_printed": good.truth["kv"]["tokens_printed"] + 16}
    wrong = {**good.truth, "stages": [stage, *good.truth["stages"][1:]], "kv": tokens}
    assert Answer(good.question, wrong).disagreements == ("weights", "tokens")
    assert Answer(good.question, {**good.truth, "refused": "no"}).disagreements == ("start",)


def test_a_model_that_cannot_be_mapped_says_why() -> None:
    assert "compute capability 3.5" in str(Question({**ASKED[0].row, "compute_capability": "3.5"}).unmapped)


def test_the_report_prints_a_table_and_fails_when_rows_disagree_or_none_is_there() -> None:
    program = [sys.executable, "-m", "tests.accuracy.oracle_report"]
    root = Path(__file__).parents[2]
    found = subprocess.run([*program, TESTED / "public.json"], capture_output=True, text=True, cwd=root)
    assert found.returncode == int(any(one.disagreements for one in ANSWERS))
    assert f"of {len(ANSWERS)} layouts agree" in found.stdout
    found = subprocess.run([*program, "nothing.json"], capture_output=True, text=True, cwd=root)
    assert (found.returncode, found.stdout.strip()) == (
        2,
        "there is no table nothing.json: name one with make oracle TABLE=file",
    )
