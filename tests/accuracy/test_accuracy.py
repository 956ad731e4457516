"""Limits for the scores of `make accuracy` and `make boundary` on real runs."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.accuracy.boundary import Edge, edges, logged_kv_bytes
from tests.accuracy.leave_out import Row, left_out, rows
from tests.accuracy.runs import RUNS, Run, read_runs
from tests.accuracy.score import Score, middle, ninth_decile, scored, worst

SCORES = scored()
NEWER = [one for one in SCORES.new if one.run.id.startswith("N")]
TOKENS_OF_GUESSED_CONFIGS = {"N67"}
"""GLM-5.3: its config is derived from GLM-5, and the row's note says which layers keep an indexer."""


def test_every_report_is_scored_or_has_a_reason_why_not() -> None:
    assert len(read_runs()) == 78
    assert len(SCORES.new) + len(SCORES.old) + len(SCORES.unmapped) == 78
    not_sizing = {run.id for run in SCORES.unmapped if str(run.unmapped).startswith("not a sizing question")}
    assert not_sizing == {"S07", "S10", "S11", "S15", "S35", "N87"}
    assert all(run.unmapped for run in SCORES.unmapped)


def test_tokens_follow_from_the_logged_gib_on_every_row() -> None:
    rows = [one for one in (*SCORES.new, *SCORES.old) if one.run.id not in TOKENS_OF_GUESSED_CONFIGS]
    errors = [one.tokens_of_logged_gib_error for one in rows]
    assert sum(error is not None for error in errors) >= 45
    assert worst(errors) <= 0.015


def test_weights_are_within_5_percent_where_the_size_is_not_from_the_row() -> None:
    errors = [one.weights_error for one in SCORES.new]
    assert sum(error is not None for error in errors) >= 40
    assert worst(errors) <= 0.05


def test_kv_tokens_are_within_2_percent_at_the_median_and_12_at_the_ninth_decile() -> None:
    errors = [one.kv_error for one in NEWER]
    assert middle(errors) <= 0.02
    assert ninth_decile(errors) <= 0.12


def test_the_range_holds_nine_rows_in_ten() -> None:
    assert sum(SCORES.held) >= 0.9 * len(SCORES.held)


@pytest.mark.parametrize("one", SCORES.new, ids=lambda one: one.run.id)
def test_no_run_that_failed_is_called_a_fit_and_none_that_ran_is_refused(one: Score) -> None:
    assert one.verdict == "right"


def test_a_wrong_report_fails_the_reading() -> None:
    run = next(run for run in read_runs() if run.id == "S22")
    assert run.unmapped is None
    assert Run({**run.row, "speculative": "eagle"}).unmapped
    assert Run({**run.row, "nodes": 2, "gpus": 16, "tp": 16}).unmapped
    name_only = next(run for run in read_runs() if run.id == "N53")
    assert name_only.unmapped == "its config has only the name of the architecture"
    assert Run({**run.row, "vllm_version": "0.7.3"}).before_0_8 == "vLLM 0.7.3"
    assert run.before_0_8 is None


def verdicts(run: Run) -> dict[int, str]:
    found = edges(run)
    assert isinstance(found, list)
    return {edge.margin_gib: edge.verdict for edge in found}


def test_the_utilization_is_moved_so_that_one_request_and_the_margin_fit() -> None:
    run = next(run for run in read_runs() if run.id == "S22")
    assert logged_kv_bytes(run) == 56.21 * 2**30
    found = edges(run)
    assert isinstance(found, list)
    # One request of 131,072 tokens takes 16 GiB, and 0.31 reserves one block.
    spare = 56.21 - 16 - 16 * 131072 / 2**30
    assert [(edge.margin_gib, edge.utilization) for edge in found] == [
        (margin, pytest.approx(0.92 + (margin - spare) / 79.25)) for margin in (-2, -1, 1, 2, 4)
    ]
    assert Edge(run, 4, run.row["gpu_memory_utilization"]).verdict == "fits"


def test_a_run_without_a_logged_cache_cannot_be_moved_and_has_a_reason() -> None:
    by_id = {run.id: run for run in read_runs()}
    assert edges(by_id["S33"]) == "did not start: what it needed is not logged"
    assert edges(by_id["S00"]) == "the V0 engine: vLLM 0.4.1"
    nothing = {**by_id["S22"].truth, "kv_cache_gib_per_gpu": None, "kv_cache_tokens": None}
    assert edges(Run({**by_id["S22"].row, "truth": nothing})) == "no KV cache logged"
    by_tokens = {**by_id["S22"].truth, "kv_cache_gib_per_gpu": None}
    assert logged_kv_bytes(Run({**by_id["S22"].row, "truth": by_tokens})) == pytest.approx(56.21 * 2**30, rel=1e-3)


@pytest.mark.parametrize("tool", ["report", "boundary"])
def test_each_report_accepts_another_table_and_names_every_row_that_it_cannot_map(tool: str, tmp_path: Path) -> None:
    shutil.copytree(RUNS, tmp_path / "runs")
    rows = (RUNS / "cases.jsonl").read_text().splitlines()
    chosen = [row for row in rows if any(f'"id": "{of}"' in row for of in ("S22", "N41", "N53"))]
    (tmp_path / "runs" / "cases.jsonl").write_text("\n".join(chosen))
    program = [sys.executable, "-m", f"tests.accuracy.{tool}", str(tmp_path / "runs")]
    found = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True)
    assert "N53 sarvamai/sarvam-105b: " in found.stdout
    assert {"report": "3 runs: 2 counted", "boundary": "2 runs moved"}[tool] in found.stdout
    assert "1 not mapped" in found.stdout


@pytest.mark.parametrize("group", [lambda row: row.run.row["model"], lambda row: row.run.source])
def test_ranges_hold_on_runs_whose_model_or_source_was_left_out(group: Callable[[Row], str]) -> None:
    found = left_out(rows(), group)
    assert len(found) > 8
    held, total = sum(one.held for one in found.values()), sum(one.rows for one in found.values())
    assert held >= 0.9 * total
    assert middle([error for one in found.values() for error in one.errors]) <= 0.02


def test_with_1_gib_too_little_a_run_is_refused_and_with_1_gib_to_spare_accepted() -> None:
    by_margin: dict[int, list[str]] = {}
    for run in read_runs():
        found = edges(run)
        if isinstance(found, list):
            for edge in found:
                by_margin.setdefault(edge.margin_gib, []).append(edge.verdict)
    assert set(by_margin[-2]) == set(by_margin[-1]) == {"refused"}
    accepted = [verdict in {"fits", "likely_fits"} for verdict in by_margin[1]]
    assert sum(accepted) >= 0.9 * len(accepted)
    assert len(accepted) >= 50


def test_ranges_are_under_a_gib_and_a_half_wide_at_the_median() -> None:
    assert middle([one.width_gib for one in SCORES.new]) < 1.5
