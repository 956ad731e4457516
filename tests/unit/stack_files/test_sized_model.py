"""The machines of `vllm-eks size --write` in a stack file."""

import shutil
import sys
from pathlib import Path

import pytest

from vllm_eks.cli.main import main
from vllm_eks.stack_files.sized_model import model_name

ROOT = Path(__file__).parents[3]
QUESTION = (
    "size",
    "Qwen/Qwen3-8B",
    "--workload",
    "chat",
    "--region",
    "us-west-2",
    "--write",
    "dev",
    "--json",
    "--family",
    "gr6",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "__main__.py").touch()
    for room in ("config", "checks", "components", "charts"):
        (tmp_path / room).symlink_to(ROOT / room)
    return tmp_path


def size(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["vllm-eks", *QUESTION, "--folder", str(folder), *args])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err.rstrip("\n")


def test_the_choice_is_added_and_the_rest_of_the_file_is_unchanged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "Pulumi.dev.yaml").read_text().splitlines()
    status, said = size(folder, monkeypatch, capsys, "--requests-per-second", "4")
    after = (folder / "Pulumi.dev.yaml").read_text().splitlines()

    assert status == 0
    assert said.startswith("Pulumi.dev.yaml: wrote models.qwen3-8b.model, models.qwen3-8b.instanceType, ")
    assert [line for line in after if line in before] == before
    assert '      model: "Qwen/Qwen3-8B"' in after
    assert '      zone: "us-west-2a"' in after


def test_the_same_choice_is_not_written_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size(folder, monkeypatch, capsys, "--requests-per-second", "4")
    written = (folder / "Pulumi.dev.yaml").read_bytes()

    assert size(folder, monkeypatch, capsys, "--requests-per-second", "4") == (
        0,
        "Pulumi.dev.yaml already has the model qwen3-8b with these values",
    )
    assert (folder / "Pulumi.dev.yaml").read_bytes() == written


def test_a_model_with_other_values_is_not_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size(folder, monkeypatch, capsys, "--requests-per-second", "1")
    written = (folder / "Pulumi.dev.yaml").read_bytes()

    assert size(folder, monkeypatch, capsys, "--requests-per-second", "1", "--spot") == (
        2,
        "vllm-eks: --write dev: Pulumi.dev.yaml already has the model qwen3-8b with other values (capacityType "
        "onDemand, not spot): nothing was written. Edit it, or remove the model first",
    )
    assert (folder / "Pulumi.dev.yaml").read_bytes() == written


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3-1-8b-instruct"),
        ("./models/My_Model/", "my-model"),
        ("RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16", "llama-4-scout-17b-16e-instruct-quantized"),
        ("/", "model"),
    ],
)
def test_a_name_is_made_of_the_models_id(model: str, name: str) -> None:
    assert model_name(model) == name
