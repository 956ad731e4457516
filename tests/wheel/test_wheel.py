"""The content of the wheel, and its commands in an environment without the program and without Pulumi."""

import json
import re
import subprocess
from email.parser import BytesParser
from pathlib import Path

import pytest

from tests.fakes.hub_server import repository, serving
from tests.wheel.conftest import ROOT, Built, Run
from vllm_eks.cli.main import app

COMMANDS = sorted(app.list_commands(None))  # pyright: ignore[reportArgumentType]
OF_A_STACK = ("bench", "doctor", "leftovers", "pins", "preview")
QWEN = ("plan", "Qwen/Qwen3-8B", "--instance-type", "g6e.xlarge")


def test_the_wheel_and_the_sdist_hold_the_package_with_each_script_as_a_file(built: Built) -> None:
    listed = subprocess.run(["git", "ls-files", "vllm_eks"], capture_output=True, text=True, cwd=ROOT, check=True)
    package = {name: (ROOT / name).read_bytes() for name in listed.stdout.splitlines()}
    wheel = built.wheel_files()
    assert {name: data for name, data in wheel.items() if ".dist-info/" not in name} == package
    sdist = built.sdist_members()
    assert package.keys() <= sdist.keys()
    assert [name for name, member in sdist.items() if not member.isfile()] == []


def test_the_metadata_is_complete_and_pulumi_is_only_needed_by_the_program(built: Built) -> None:
    (name,) = [name for name in built.wheel_files() if name.endswith(".dist-info/METADATA")]
    metadata = BytesParser().parsebytes(built.wheel_files()[name])
    assert metadata["Name"] == "vllm-eks"
    assert metadata["License-Expression"] == "Apache-2.0"
    for key in ("Summary", "Author", "Keywords", "Requires-Python", "License-File", "Description-Content-Type"):
        assert metadata[key], key
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(re.split(r"[<>=!;]", line)[0] for line in needed) == sorted(
        ["boto3", "click", "huggingface-hub", "kubernetes", "pydantic", "pyyaml", "rich", "ruamel-yaml"]
    )


def test_version_help_and_completion(run: Run) -> None:
    assert run("--version").stdout == "vllm-eks 0.1.0\n"
    for arguments in ((), ("-h",), ("--help",)):
        found = run(*arguments)
        assert set(COMMANDS) <= set((found.stdout + found.stderr).split())
    completed = run(_VLLM_EKS_COMPLETE="bash_complete", COMP_WORDS="vllm-eks pre", COMP_CWORD="1")
    assert completed.stdout == "plain,preview\n"


@pytest.mark.parametrize("command", [*COMMANDS, "catalog refresh"])
def test_every_command_has_help(run: Run, command: str) -> None:
    found = run(*command.split(), "--help")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(f"Usage: vllm-eks {command}")


def test_a_plan_needs_nothing_else(run: Run) -> None:
    assert json.loads(run(*QWEN, "--json").stdout)["fits"] is True
    assert "TP=1 PP=1" in run(*QWEN).stdout


@pytest.mark.parametrize("command", OF_A_STACK)
def test_a_command_of_a_stack_says_which_folder_it_needs(run: Run, tmp_path: Path, command: str) -> None:
    found = run(command, "--stack", "dev")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.removeprefix("vllm-eks: ") == (
        f"there is no Pulumi.yaml in {tmp_path}: run this in the folder of the vllm-eks program, or set --folder\n"
    )


def test_the_preview_says_that_the_program_needs_pulumi(run: Run) -> None:
    found = run("preview", "--folder", str(ROOT))
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "the preview runs the program with Pulumi's SDK, and pulumi is not installed: use the vllm-eks of the "
        "program's own .venv (make setup), or install 'vllm-eks[program]'\n"
    )


@pytest.fixture
def stack_only(tmp_path: Path) -> Path:
    """A folder with a stack's files, but without the program."""
    folder = tmp_path / "stack"
    folder.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.mark.parametrize("command", ["preview", "pins"])
def test_a_folder_without_the_program_is_reported(run: Run, stack_only: Path, command: str) -> None:
    found = run(command, cwd=stack_only)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.removeprefix("vllm-eks: ").startswith(f"{stack_only} does not contain the vllm-eks program")
    assert len(found.stderr.splitlines()) == 1


def test_pins_doctor_and_leftovers_need_no_pulumi(run: Run, stack_only: Path) -> None:
    pins = run("pins", "--folder", str(ROOT), "--json")
    assert pins.returncode == 1
    assert "no usable AWS credentials" in json.loads(pins.stdout)["not_asked"]
    leftovers = run("leftovers", "--stack", "dev", cwd=stack_only)
    assert (leftovers.returncode, leftovers.stderr.partition(":")[2][:27]) == (2, " no usable AWS credentials:")
    doctor = run("doctor", "--stack", "dev", "--json", cwd=stack_only)
    assert doctor.returncode == 1
    assert {finding["severity"] for finding in json.loads(doctor.stdout)} == {"unknown"}


def test_lock_writes_into_the_users_folder_and_plan_reads_it(run: Run, site: Path, tmp_path: Path) -> None:
    before = sorted(str(file) for file in site.rglob("*.json"))
    with serving(repository()) as hub:
        found = run("lock", "org/model", cwd=ROOT, HF_ENDPOINT=hub.url)
    written = tmp_path / ".local" / "share" / "vllm-eks" / "models" / "org--model.json"
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[-1] == f"written: {written}"
    assert written.is_file()
    assert sorted(str(file) for file in site.rglob("*.json")) == before
    assert json.loads(run("plan", "org/model", "--instance-type", "g6e.xlarge", "--json").stdout)["fits"] is True


def test_a_refreshed_catalogue_goes_into_the_users_folder(run: Run, site: Path, tmp_path: Path) -> None:
    from moto.server import ThreadedMotoServer

    (shipped,) = site.rglob("vllm_eks/data/instances.json")
    before = shipped.read_bytes()
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        answered = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        found = run("catalog", "refresh", XDG_DATA_HOME=str(tmp_path / "data"), **answered)
    finally:
        server.stop()
    written = tmp_path / "data" / "vllm-eks" / "instances.json"
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[-1] == f"wrote {written}"
    assert shipped.read_bytes() == before
    assert "us-west-2" in json.loads(written.read_text())["refreshed"]
