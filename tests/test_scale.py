"""Twenty models on one cluster: previewed in seconds, and twice as many in twice the time."""

import time
from pathlib import Path

import pytest
from scale_report import preview_seconds, write_project

from cli.preview_command import run_preview


def seconds_in_this_process(folder: Path, models: int) -> float:
    folder.mkdir()
    write_project(folder, models)
    began = time.process_time()
    assert run_preview(folder, "many") == 0
    return time.process_time() - began


def test_twenty_models_are_previewed_in_under_twenty_seconds() -> None:
    assert preview_seconds(20) < 20


def test_the_time_grows_with_the_number_of_models_and_no_faster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds_in_this_process(tmp_path / "warm", 1)
    few, many = (seconds_in_this_process(tmp_path / str(models), models) for models in (10, 40))
    # Four times as many: 4 is linear, 16 quadratic.
    assert many / few < 8, f"{few:.2f} s for 10, {many:.2f} s for 40"
