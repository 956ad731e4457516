"""The machines of `vllm-eks size --write` in a stack file."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vllm_eks.cli.main import main
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.stack_files.sized_model import model_name, stack_reference, zone_of
from vllm_eks.stack_files.stated_traffic import traffic_values, words_of

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


@pytest.fixture
def not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if an answer is computed: what cannot be written is refused before."""

    def refuse(question: object) -> None:
        pytest.fail("the answer was computed")

    monkeypatch.setattr("vllm_eks.cli.size_answer.size", refuse)


def test_the_choice_and_its_traffic_are_added_and_the_rest_of_the_file_is_unchanged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "Pulumi.dev.yaml").read_text().splitlines()
    load = ("--requests-per-second", "4", "--shared-prefix", "300", "--ttft", "1s@p90", "--spot")
    status, said = size(folder, monkeypatch, capsys, *load)
    after = (folder / "Pulumi.dev.yaml").read_text().splitlines()

    assert status == 0
    keys = "capacityType, (replicas, )?tensorParallelSize, pipelineParallelSize, maxModelLen, maxNumSeqs, zone, "
    traffic = "traffic.requestsPerSecond, traffic.workload, traffic.sharedPrefix, traffic.ttft"
    assert re.fullmatch(
        f"Pulumi.dev.yaml: wrote model, instanceType, {keys}{traffic}", said.replace("models.qwen3-8b.", "")
    )
    assert [line for line in after if line in before] == before
    assert '      model: "Qwen/Qwen3-8B"' in after
    assert '      zone: "us-west-2a"' in after
    at = after.index("      traffic:")
    assert after[at + 1 : at + 5] == [
        "        requestsPerSecond: 4",
        '        workload: "chat"',
        "        sharedPrefix: 300",
        '        ttft: "1s@p90"',
    ]


def test_what_cannot_be_written_is_refused_before_anything_is_computed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], not_computed: None
) -> None:
    stack = folder / "Pulumi.dev.yaml"
    with_model = "vllm-eks:models:\n    qwen3-8b:\n      instanceType: g5.xlarge\n"
    stack.write_text(stack.read_text().replace("vllm-eks:models:\n", with_model))
    written = stack.read_bytes()

    assert size(folder, monkeypatch, capsys, "--requests-per-second", "1", "--plot", str(folder / "no" / "x.svg")) == (
        2,
        f"vllm-eks: 2 errors:\n  --plot {folder}/no/x.svg: there is no folder {folder}/no: create it first\n  "
        "--write dev: Pulumi.dev.yaml already has the model qwen3-8b on g5.xlarge, and its values are not changed: "
        "remove the model first, or leave out --write to compare",
    )
    assert stack.read_bytes() == written


@pytest.mark.parametrize(
    ("instance_type", "region", "said"),
    [
        ("g6e.xlarge", "us-west-2", ""),
        (
            "g5.48xlarge",
            "us-west-2",
            "zone us-west-2a is the first of network.zones: g5.48xlarge is offered in usw2-az1, usw2-az2, usw2-az3, "
            "and which names these zones have differs by account; pulumi up checks it",
        ),
        (
            "g5.48xlarge",
            "us-gov-west-1",
            "zone us-west-2a is the first of network.zones: the catalogue knows no zone of us-gov-west-1 that offers "
            "g5.48xlarge; pulumi up asks AWS",
        ),
    ],
)
def test_what_is_not_known_about_the_zone_is_said(instance_type: str, region: str, said: str) -> None:
    assert zone_of(("us-west-2a", "us-west-2b"), find_instance(instance_type, region)) == ("us-west-2a", said)


@pytest.mark.parametrize("name", ["../dev", "a/../dev", "./dev", "/dev", "..", "a/b/c/dev"])
def test_a_path_is_not_a_stack(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], not_computed: None, name: str
) -> None:
    assert size(folder, monkeypatch, capsys, "--requests-per-second", "1", "--write", name) == (
        2,
        f"vllm-eks: --write {name!r} is not a valid stack name: use letters, digits, -, _ and ., at most 100",
    )


def test_a_dataset_is_written_relative_to_the_stack_file(tmp_path: Path) -> None:
    file = tmp_path / "data" / "lengths.jsonl"
    words = TrafficWords(concurrent_users="20", think_time="2.5s", dataset=file, e2e="9s@p99")

    assert traffic_values(words, tmp_path / "stacks") == {
        "concurrentUsers": 20,
        "thinkTime": "2.5s",
        "dataset": "../data/lengths.jsonl",
        "e2e": "9s@p99",
    }
    assert traffic_values(replace(words, concurrent_users=None, requests_per_second="0.5"), tmp_path) == {
        "requestsPerSecond": 0.5,
        "thinkTime": "2.5s",
        "dataset": "data/lengths.jsonl",
        "e2e": "9s@p99",
    }


def test_a_folder_is_named_as_the_stack_file_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert stack_reference("models/mine", Path()) == "./models/mine"
    assert stack_reference("./models/mine/config.json", Path("models")) == "./mine"
    assert stack_reference(str(tmp_path / "models" / "mine"), tmp_path / "stacks") == "../models/mine"
    assert stack_reference("Qwen/Qwen3-8B", tmp_path) == "Qwen/Qwen3-8B"


def test_words_are_the_same_after_a_stack_file(tmp_path: Path) -> None:
    words = TrafficWords(
        requests_per_second=4.0, input="mean:500", output="20", shared_prefix=7, ttft="1s@p90", itl="9ms@p50"
    )

    assert words_of(traffic_values(words, tmp_path)) == words


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
