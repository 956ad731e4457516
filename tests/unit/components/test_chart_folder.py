import shutil
from pathlib import Path

import pytest

from components.serving.chart_folder import chart_digest, chart_path


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "charts" / "vllm"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("name: vllm\n")
    (folder / "templates" / "job.yaml").write_text("kind: Job\n")
    return folder


def test_the_digest_changes_with_any_edit_new_file_or_new_name(chart: Path) -> None:
    job = chart / "templates" / "job.yaml"
    digests = [chart_digest(chart)]
    job.write_text("kind: Pod\n")
    digests.append(chart_digest(chart))
    (chart / "values.yaml").touch()
    digests.append(chart_digest(chart))
    job.rename(chart / "templates" / "pod.yaml")
    digests.append(chart_digest(chart))

    assert len(set(digests)) == 4


def test_the_digest_does_not_depend_on_the_folder(chart: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(chart, tmp_path / "elsewhere")

    assert chart_digest(copy) == chart_digest(chart)


def test_the_digest_does_not_depend_on_the_order_of_files(chart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = list(chart.rglob("*"))
    before = chart_digest(chart)
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: reversed(listed))

    assert chart_digest(chart) == before


def test_bytes_that_move_between_files_change_the_digest(tmp_path: Path) -> None:
    digests = []
    for first, second in [("ab", "c"), ("a", "bc")]:
        folder = tmp_path / first
        folder.mkdir()
        (folder / "1").write_text(first)
        (folder / "2").write_text(second)
        digests.append(chart_digest(folder))

    assert digests[0] != digests[1]


def test_a_folder_without_files_is_not_a_chart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no chart in"):
        chart_digest(tmp_path / "missing")


def test_the_path_is_relative_inside_the_project_and_absolute_elsewhere(
    chart: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert chart_path(chart) == "./charts/vllm"
    assert chart_path(Path("charts/vllm")) == "./charts/vllm"

    monkeypatch.chdir(chart)
    assert chart_path(tmp_path / "charts") == str(tmp_path / "charts")


def test_bytecode_next_to_a_script_is_not_part_of_the_chart(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text("name: vllm")
    before = chart_digest(tmp_path)
    (tmp_path / "files" / "__pycache__").mkdir(parents=True)
    (tmp_path / "files" / "__pycache__" / "wait_ready.pyc").write_bytes(b"x")
    assert chart_digest(tmp_path) == before
