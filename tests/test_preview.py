"""The offline preview runs the real program; what it shows is what the program registered."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from asking import LLAMA_8B, LLAMA_70B, QWEN_235B, SCOUT

from cli.preview_command import run_preview
from cli.recording import Recording, record
from config.stack_file import read_stack_file

ROOT = Path(__file__).parent.parent
PROJECT = ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "__main__.py", "charts")
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
RELEASE = "kubernetes:helm.sh/v3:Release"
GPU_GROUP = "vllm-eks:index:GpuNodeGroup"


@dataclass(frozen=True)
class Shown:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def preview(capsys: pytest.CaptureFixture[str]) -> Callable[..., Shown]:
    """The command in this process: loading the SDK once is enough for all tests but those of time and exit."""

    def run(folder: Path = ROOT, stack: str = "dev") -> Shown:
        status = run_preview(folder, stack)
        captured = capsys.readouterr()
        return Shown(status, captured.out, captured.err)

    return run


@pytest.fixture
def recorded() -> Callable[..., Recording]:
    def run(stack: str, folder: Path) -> Recording:
        return record(folder, read_stack_file(folder, stack).for_offline_preview())

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in PROJECT:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    return tmp_path


def gpu_nodes(recording: Recording):
    (group,) = [one for one in recording.of_type(NODE_GROUP) if "vllm-eks/model" in (one.inputs.get("labels") or {})]
    return group


def release(recording: Recording):
    (found,) = [one for one in recording.of_type(RELEASE) if one.inputs["name"] == "llama-4-scout"]
    return found


@pytest.mark.parametrize(("stack", "nodes", "pp"), [("dev", 1, 1), ("prod", 2, 2)])
def test_each_stack_of_the_guide_gets_its_nodes_in_one_zone_of_a_four_zone_network(
    recorded_stack: Callable[[str], Recording], stack: str, nodes: int, pp: int
) -> None:
    recording = recorded_stack(stack)
    group = gpu_nodes(recording)
    assert group.inputs["scalingConfig"] == {"minSize": nodes, "desiredSize": nodes, "maxSize": nodes}
    assert group.inputs["subnetIds"] == [f"vllm-eks-{stack}-private-us-west-2a-id"]
    assert group.inputs["instanceTypes"] == ["g5.48xlarge"]
    assert len(recording.of_type("aws:ec2/placementGroup:PlacementGroup")) == (pp > 1)
    zones = {one.inputs["availabilityZone"] for one in recording.of_type("aws:ec2/subnet:Subnet")}
    assert zones == {f"us-west-2{letter}" for letter in "abcd"}
    values = release(recording).inputs["values"]
    assert (values["tensorParallelSize"], values["pipelineParallelSize"]) == (8, pp)


@pytest.mark.parametrize(
    ("model", "nodes", "pp", "storage"),
    [(LLAMA_8B, 1, 1, "36Gi"), (LLAMA_70B, 1, 1, "280Gi"), (SCOUT, 2, 2, "429Gi"), (QWEN_235B, 4, 4, "924Gi")],
)
def test_nodes_sizes_memory_and_values_follow_one_changed_line(
    recorded: Callable[..., Recording], project: Path, model: str, nodes: int, pp: int, storage: str
) -> None:
    stack_file = project / "Pulumi.dev.yaml"
    lines = stack_file.read_text().splitlines()
    (index,) = [number for number, line in enumerate(lines) if line.strip().startswith("model: ")]
    lines[index] = f"      model: {model}"
    if model == LLAMA_8B:
        lines = [line for line in lines if "maxModelLen" not in line]  # 16384 is above this model's own 8192
    stack_file.write_text("\n".join(lines))
    recording = recorded("dev", project)
    assert gpu_nodes(recording).inputs["scalingConfig"]["desiredSize"] == nodes
    values = release(recording).inputs["values"]
    assert (values["pipelineParallelSize"], values["weightsStorage"]) == (pp, storage)
    assert values["model"]["id"] == model
    assert recording.outputs["models"]["llama-4-scout"]["nodes"] == nodes


def test_outputs_say_where_the_endpoint_is_and_how_to_reach_it(
    recorded_stack: Callable[[str], Recording],
) -> None:
    outputs = recorded_stack("prod").outputs
    assert set(outputs) == {"models", "usdPerHour", "kubeconfig"}
    assert outputs["usdPerHour"] == 32.576
    model = outputs["models"]["llama-4-scout"]
    assert model["endpoint"] == "http://llama-4-scout-api.vllm-llama-4-scout.svc.cluster.local:8000/v1"
    assert model["portForward"].startswith("kubectl --namespace vllm-llama-4-scout port-forward service/")
    assert "get secret llama-4-scout-api-key" in model["readApiKey"]
    assert (model["tensorParallelSize"], model["pipelineParallelSize"], model["nodes"]) == (8, 2, 2)


def test_the_release_waits_for_controllers_and_its_own_nodes_and_gpus_hold_up_nothing_else(
    recorded_stack: Callable[[str], Recording],
) -> None:
    recording = recorded_stack("dev")
    by_type = {one.type: one for one in recording.registrations if one.type.startswith("vllm-eks:")}
    server, gpus = by_type["vllm-eks:index:ModelServer"], by_type[GPU_GROUP]
    group = gpu_nodes(recording)
    assert {group.name, "vllm-eks-dev-lws", "vllm-eks-dev-nvidia-device-plugin"} <= server.depends_on
    assert {"vllm-eks-dev-private-us-west-2a-nat", "vllm-eks-dev-coredns"} <= gpus.depends_on
    waiting = {one.name for one in recording.registrations if group.name in one.depends_on}
    assert waiting == {"llama-4-scout", "llama-4-scout-release"}


def test_the_preview_shows_plan_topology_tree_values_price_and_checks(preview: Callable[..., Shown]) -> None:
    found = preview(ROOT, "prod")
    assert (found.returncode, found.stderr) == (0, "")
    parts = [line for line in found.stdout.splitlines() if line.startswith("== ")]
    assert parts == [f"== {part}" for part in ("Plan", "Topology", "Resources", "Helm values", "Price", "Checks")]
    assert "llama-4-scout: 2 x g5.48xlarge, one placement group" in found.stdout
    assert "$32.58 an hour" in found.stdout
    assert "unknown quota Running On-Demand G and VT instances holds 384 vCPUs: not asked" in found.stdout
    assert "unknown g5.48xlarge is offered in us-west-2a: not asked of the account" in found.stdout
    assert "unknown stack file: huggingFaceToken is not set" in found.stdout


def test_the_topology_shows_gpu_nodes_once_in_their_zone_and_system_nodes_in_two(
    preview: Callable[..., Shown],
) -> None:
    topology = preview(ROOT, "dev").stdout.split("== Topology")[1].split("== Resources")[0]
    assert topology.count("llama-4-scout: 1 x g5.48xlarge, no placement group") == 1
    assert topology.count("GPU ") == 8
    assert topology.count("system nodes: 2 x m7i.large over us-west-2a and us-west-2b") == 2
    first_zone = topology.split("├── us-west-2b")[0]
    assert "GPU 7" in first_zone


def test_gpus_that_no_replica_uses_are_drawn_idle(preview: Callable[..., Shown], project: Path) -> None:
    stack_file = project / "Pulumi.dev.yaml"
    changed = "maxModelLen: 16384\n      tensorParallelSize: 2\n      replicas: 3"
    model = "Qwen/Qwen3-32B"
    text = stack_file.read_text().replace("RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16", model)
    stack_file.write_text(
        text.replace("instanceType: g5.48xlarge", "instanceType: g6e.48xlarge").replace("maxModelLen: 16384", changed)
    )
    topology = preview(project).stdout.split("== Topology")[1].split("== Resources")[0]
    drawn = [line.split("GPU ")[1].split()[1:3] for line in topology.splitlines() if "GPU " in line]
    assert [words[:1] if words[0] == "idle" else words for words in drawn] == [
        ["replica", "1"], ["replica", "1"], ["replica", "2"], ["replica", "2"],
        ["replica", "3"], ["replica", "3"], ["idle"], ["idle"],
    ]  # fmt: skip


def test_two_previews_of_one_stack_print_the_same(preview: Callable[..., Shown]) -> None:
    assert preview(ROOT).stdout == preview(ROOT).stdout


def test_the_command_previews_dev() -> None:
    command = [sys.executable, "-c", "from cli.main import main; main()", "preview"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("Offline preview of stack dev")


def test_secrets_of_the_stack_reach_neither_the_preview_nor_any_value(
    preview: Callable[..., Shown], project: Path
) -> None:
    stack_file = project / "Pulumi.prod.yaml"
    planted = "config:\n  vllm-eks:huggingFaceToken: hf_planted\n  vllm-eks:apiKey: key_planted\n"
    stack_file.write_text(stack_file.read_text().replace("config:\n", planted))
    found = preview(project, "prod")
    assert found.returncode == 0, found.stderr
    assert "planted" not in found.stdout + found.stderr
    recording = record(project, read_stack_file(project, "prod").for_offline_preview())
    holders = {one.type for one in recording.registrations if "planted" in str(one.inputs)}
    assert holders == {"kubernetes:core/v1:Secret"}
    secrets = recording.of_type("kubernetes:core/v1:Secret")
    assert [one.secret_paths for one in secrets] == [{"stringData"}, {"stringData"}]


def test_a_secure_value_needs_no_passphrase_offline(preview: Callable[..., Shown], project: Path) -> None:
    stack_file = project / "Pulumi.prod.yaml"
    planted = "config:\n  vllm-eks:huggingFaceToken:\n    secure: v1:AAAA:BBBB\n"
    stack_file.write_text(stack_file.read_text().replace("config:\n", planted))
    found = preview(project, "prod")
    assert found.returncode == 0, found.stderr
    assert "huggingFaceToken is not set" not in found.stdout


def test_a_plan_that_does_not_fit_stops_the_preview_with_the_numbers(
    preview: Callable[..., Shown], project: Path
) -> None:
    stack_file = project / "Pulumi.prod.yaml"
    stack_file.write_text(stack_file.read_text().replace("pipelineParallelSize: 2", "pipelineParallelSize: 1"))
    found = preview(project, "prod")
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.splitlines()[0] == f"models.llama-4-scout: {SCOUT} does not fit g5.48xlarge:"
    assert "would work: pipelineParallelSize: 2: 2 x g5.48xlarge ($32.58/h)" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_wrong_stack_file_or_stack_is_told_without_a_traceback(preview: Callable[..., Shown], project: Path) -> None:
    stack_file = project / "Pulumi.dev.yaml"
    stack_file.write_text(stack_file.read_text().replace("zone: us-west-2a", "zone: us-west-2f"))
    found = preview(project)
    assert (found.returncode, found.stdout) == (2, "")
    assert "vllm-eks:models.llama-4-scout.zone" in found.stderr
    missing = preview(project, "staging")
    assert missing.returncode == 2
    assert missing.stderr.startswith("there is no Pulumi.staging.yaml in ")
    assert "Traceback" not in found.stderr + missing.stderr


def test_the_program_reads_top_to_bottom_on_two_screens() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) < 110
