"""Many models on one cluster: the preview stays short, and its work grows linearly."""

from pathlib import Path

import pytest

from tests.program.scale_report import write_project
from vllm_eks.cli.preview import run_preview


def lines_of(folder: Path, models: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    folder.mkdir()
    write_project(folder, models)
    assert run_preview(folder, "many") == 0
    return capsys.readouterr().out.splitlines()


def test_the_preview_of_many_models_is_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few, many = (lines_of(tmp_path / str(models), models, capsys) for models in (5, 20))
    assert sum(line.startswith("model-") for line in many) == 20
    assert few[0].startswith("Yes, if your account allows it: 5 models on 8 GPU nodes, ")
    assert (len(many) - len(few)) / 15 < 3, "a row, a line of the picture, and little else for each further model"
    assert any("GPU nodes of 10 models  25 x g5.48xlarge" in line for line in many)
    assert len(many) < 130
