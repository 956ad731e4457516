"""Twenty models on one cluster: previewed in seconds, and four times as many in about four times the time."""

import time
from pathlib import Path

from scale_report import preview_seconds, write_project

from cli.recording import record
from config.stack_file import read_stack_file


def cpu_seconds(folder: Path, models: int) -> float:
    """Return the processor time of one run of the program in this process."""
    folder.mkdir()
    stack = read_stack_file(write_project(folder, models), "many").for_offline_preview()
    began = time.process_time()
    record(folder, stack)
    return time.process_time() - began


def test_twenty_models_are_previewed_in_under_twenty_seconds() -> None:
    assert preview_seconds(20) < 20


def test_the_time_grows_with_the_number_of_models_and_no_faster(tmp_path: Path) -> None:
    cpu_seconds(tmp_path / "warm", 1)
    few, many = (cpu_seconds(tmp_path / str(models), models) for models in (5, 20))
    # Four times as many: 4 is linear, 16 quadratic; what all models share makes it less.
    assert many / few < 8, f"{few:.2f} s for 5, {many:.2f} s for 20"
