"""The folders of models and the catalogue, for a checkout and for an installed package."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.hub_server import repository, serving
from vllm_eks.data import DATA
from vllm_eks.data.folders import data_folders, user_data_folder, writable_data_folder
from vllm_eks.planner.models.known_models import LOCKED
from vllm_eks.planner.models.lock_folders import lock_file_name

ROOT = Path(__file__).parents[3]
QWEN = "Qwen/Qwen3-8B"
TYPE = "g6e.xlarge"


@pytest.mark.parametrize(
    ("environment", "platform", "folder"),
    [
        ({"XDG_DATA_HOME": "/x"}, "linux", "/x/vllm-eks"),
        ({"XDG_DATA_HOME": "/x"}, "darwin", "/x/vllm-eks"),
        ({"XDG_DATA_HOME": "not/absolute"}, "linux", "/home/ann/.local/share/vllm-eks"),
        ({}, "linux", "/home/ann/.local/share/vllm-eks"),
        ({}, "darwin", "/home/ann/Library/Application Support/vllm-eks"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/vllm-eks"),
    ],
)
def test_a_users_data_is_where_the_platform_has_it(
    environment: dict[str, str], platform: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert user_data_folder(environment, platform) == Path(folder)


def test_a_checkout_reads_and_writes_its_own_data_and_no_users() -> None:
    assert data_folders() == (DATA,)
    assert writable_data_folder() == DATA


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only the package and its bytecode, like an installation."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "vllm_eks", site / "vllm_eks")
    return site


def run(installed: Path, home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", "from vllm_eks.cli.main import main; main()", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(installed), "XDG_DATA_HOME": str(home), **environment}
    return subprocess.run(line, capture_output=True, text=True, check=False, env=variables, cwd=home)


def files_of(installed: Path) -> dict[str, float]:
    return {str(file): file.stat().st_mtime for file in installed.rglob("*") if "__pycache__" not in file.parts}


def test_an_installed_package_locks_into_the_users_folder_and_plans_from_there(installed: Path, tmp_path: Path) -> None:
    before = files_of(installed)
    with serving(repository()) as hub:
        locked = run(installed, tmp_path, "lock", "org/model", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"))
    assert (locked.returncode, locked.stderr) == (0, "")
    assert locked.stdout.splitlines()[-1] == "written: vllm-eks/models/org--model.json"
    assert files_of(installed) == before
    planned = run(installed, tmp_path, "plan", "org/model", "--instance-type", TYPE, "--json")
    assert json.loads(planned.stdout)["model"]["id"] == "org/model"


def test_a_users_own_files_override_the_shipped_ones(installed: Path, tmp_path: Path) -> None:
    own = tmp_path / "vllm-eks"
    (own / "models").mkdir(parents=True)
    shipped = json.loads((LOCKED / lock_file_name(QWEN)).read_text())
    (own / "models" / lock_file_name(QWEN)).write_text(json.dumps({**shipped, "revision": "f" * 40}))
    catalogue = json.loads((DATA / "instances.json").read_text())
    rows = [row for row in catalogue["instances"] if row["type"] == TYPE]
    rows[0]["usd_per_hour_by_region"] = {"us-east-1": 99.0}
    (own / "instances.json").write_text(json.dumps({**catalogue, "instances": rows}))

    own_type = json.loads(run(installed, tmp_path, "plan", QWEN, "--instance-type", TYPE, "--json").stdout)
    shipped_type = run(installed, tmp_path, "plan", QWEN, "--instance-type", "g6e.2xlarge", "--json")

    assert own_type["model"]["revision"] == "f" * 40
    assert own_type["cost"]["usd_per_hour"] == 99.0
    assert shipped_type.returncode == 0, "types that the user's catalogue lacks are still known"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("instances.json", "{}", "is not a catalogue file of this version: delete it"),
        ("instances.json", "{", "is not JSON"),
        (f"models/{lock_file_name(QWEN)}", "{}", "is not a lock file of this version: delete it and lock"),
        (f"models/{lock_file_name(QWEN)}", '{"id": 1}', "is not a lock file of this version: delete it and lock"),
        (f"models/{lock_file_name(QWEN)}", "", "is empty"),
        ("instances.json", '{"instances": [{"type": "p9"}]}', "is not a catalogue file of this version: delete it"),
    ],
)
def test_an_invalid_user_file_is_reported_in_one_line(
    installed: Path, tmp_path: Path, file: str, text: str, said: str
) -> None:
    path = tmp_path / "vllm-eks" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = run(installed, tmp_path, "plan", QWEN, "--instance-type", TYPE)
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1
    assert f"{path} {said}" in found.stderr
