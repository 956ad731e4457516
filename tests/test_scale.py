"""Twenty models on one cluster: previewed in seconds, and four times as many in about four times the time."""

import time
from pathlib import Path

import pytest
from scale_report import write_project

from cli.preview_command import run_preview


def seconds(folder: Path, models: int) -> tuple[float, float]:
    """Return the wall clock's and the processor's seconds of one whole preview in this process."""
    folder.mkdir()
    write_project(folder, models)
    wall, cpu = time.monotonic(), time.process_time()
    assert run_preview(folder, "many") == 0
    return time.monotonic() - wall, time.process_time() - cpu


def test_twenty_models_are_previewed_in_seconds_and_the_time_grows_no_faster_than_they_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds(tmp_path / "warm", 1)
    (_, few), (wall, many) = (seconds(tmp_path / str(models), models) for models in (5, 20))
    assert "[model-19]" in capsys.readouterr().out
    # The command itself takes some 3 s more, to load; `make scale` measures it whole.
    assert wall < 15
    # Four times as many: 4 is linear, 16 quadratic; what all models share makes it less.
    assert many / few < 8, f"{few:.2f} s for 5, {many:.2f} s for 20"
