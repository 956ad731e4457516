"""Runs the preview, and copies the project for tests that change it."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.support.previews import PROJECT, ROOT, Shown
from vllm_eks.cli.preview import SHORT_PREVIEW, PreviewOptions, _run, run_preview
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file
from vllm_eks.stack_files.stack_file import StackFile


@pytest.fixture
def preview(capsys: pytest.CaptureFixture[str], recorded_stack: Callable[[str], Recording]) -> Callable[..., Shown]:
    """Run the command in this process. A stack runs once: the project's own for all tests, others for their test."""
    ran: dict[str, Recording] = {}

    def run_once(folder: Path, file: StackFile) -> Recording:
        if folder == ROOT:
            return recorded_stack(file.stack)
        key = f"{folder} {file}"
        if key not in ran:
            ran[key] = _run(folder, file)
        return ran[key]

    def run(
        folder: Path = ROOT, stack: str = "dev", wanted: PreviewOptions = SHORT_PREVIEW, *, again: bool = False
    ) -> Shown:
        with pytest.MonkeyPatch.context() as patch:
            if not again:
                patch.setattr("vllm_eks.cli.preview._run", run_once)
            status = run_preview(folder, stack, wanted)
        captured = capsys.readouterr()
        return Shown(status, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the examples next to its own stack files, as the documents say to copy them."""
    tmp_path = tmp_path_factory.mktemp("examples")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "charts", tmp_path / "charts")
    for path in (ROOT / "examples").glob("Pulumi.*.yaml"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def recorded_example(example_folder: Path) -> Callable[[str], Recording]:
    """The program's registrations for an example, recorded once and read-only."""
    return cache(lambda stack: record(example_folder, read_stack_file(example_folder, stack).for_offline_preview()))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in PROJECT:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    return tmp_path
