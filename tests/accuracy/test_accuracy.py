"""The score that `make accuracy` prints, as limits: what the planner must keep to on real start-ups."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.accuracy.score import Run, Score, middle, runs, scored, worst

NEW, OLD, UNMAPPED = scored()


def test_every_report_is_scored_or_listed_with_its_reason() -> None:
    assert len(runs()) == 32
    assert len(NEW) + len(OLD) + len(UNMAPPED) == 32
    assert {run.id for run in UNMAPPED} == {"S07", "S10", "S11", "S15", "S17", "S26", "S35"}
    assert all(run.unmapped for run in UNMAPPED)


def test_tokens_follow_from_the_logged_gib_on_every_row() -> None:
    errors = [one.tokens_of_logged_gib_error for one in (*NEW, *OLD)]
    assert sum(error is not None for error in errors) >= 11
    assert worst(errors) <= 0.015


def test_weights_are_within_5_percent_where_the_size_is_not_from_the_row() -> None:
    errors = [one.weights_error for one in NEW]
    assert sum(error is not None for error in errors) >= 4
    assert worst(errors) <= 0.05


def test_kv_tokens_are_within_8_percent_at_the_median() -> None:
    assert middle([one.kv_error for one in NEW]) <= 0.08


def test_the_range_holds_nine_rows_in_ten_and_is_not_wide() -> None:
    held = [one.in_range for one in NEW if one.in_range is not None]
    assert sum(held) >= 0.9 * len(held)
    assert middle([one.half_width for one in NEW]) <= 0.20


@pytest.mark.parametrize("one", NEW, ids=lambda one: one.run.id)
def test_no_run_that_failed_is_called_a_fit_and_none_that_ran_is_refused(one: Score) -> None:
    assert one.verdict == "right"


def test_the_reading_of_a_report_can_fail() -> None:
    run = next(run for run in runs() if run.id == "S22")
    assert Run({**run.row, "speculative": "eagle"}).unmapped
    assert Run({**run.row, "nodes": 2, "gpus": 16, "tp": 16}).unmapped
    assert Run({**run.row, "vllm_version": "0.7.3"}).before_0_8 == "vLLM 0.7.3"
    assert run.before_0_8 is None


def test_the_report_prints_every_row() -> None:
    program = [sys.executable, "-m", "tests.accuracy.report"]
    root = Path(__file__).parents[2]
    found = subprocess.run(program, capture_output=True, text=True, cwd=root, check=True)
    assert all(run.id in found.stdout for run in runs())
    assert "called a fit and ran out of memory: 0 (none)" in found.stdout
