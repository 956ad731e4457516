"""The offline preview runs the real program; what it shows is what the program registered."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from asking import LLAMA_8B, LLAMA_70B, QWEN_235B, SCOUT

from cli.preview_command import EVERYTHING_SHORT, Wanted, _run, run_preview
from cli.recording import Recording, record
from config.stack_file import read_stack_file
from config.stack_values import StackFile

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
def preview(capsys: pytest.CaptureFixture[str], recorded_stack: Callable[[str], Recording]) -> Callable[..., Shown]:
    """The command in this process. A stack runs once: our own for all tests, another one for its test."""
    ran: dict[str, Recording] = {}

    def run_once(folder: Path, file: StackFile) -> Recording:
        if folder == ROOT:
            return recorded_stack(file.stack)
        key = f"{folder} {file}"
        if key not in ran:
            ran[key] = _run(folder, file)
        return ran[key]

    def run(
        folder: Path = ROOT, stack: str = "dev", wanted: Wanted = EVERYTHING_SHORT, *, again: bool = False
    ) -> Shown:
        with pytest.MonkeyPatch.context() as patch:
            if not again:
                patch.setattr("cli.preview_command._run", run_once)
            status = run_preview(folder, stack, wanted)
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


def parts_of(stdout: str) -> list[str]:
    return [line.removeprefix("== ") for line in stdout.splitlines() if line.startswith("== ")]


def test_the_preview_begins_with_its_answer_then_plan_topology_price_and_checks(preview: Callable[..., Shown]) -> None:
    found = preview(ROOT, "dev")
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    asked = sum(line.startswith("unknown  to check: ") for line in lines)
    assert lines[0] == (
        f"Yes, when your account allows it: 1 x g5.48xlarge, $16.66/h; {asked} questions only your account can answer, "
        "1 warning."
    )
    assert lines[1] == "Offline preview of stack dev in us-west-2: nothing is made, and AWS is not asked."
    assert lines[2].startswith("warning  cluster.publicAccessCidrs: 0.0.0.0/0 exposes the Kubernetes API to the int")
    assert parts_of(found.stdout) == ["Plan", "Topology", "Price", "Checks"]
    assert "unknown  to check: g5.48xlarge is offered in us-west-2a\n         aws ec2 describe-instance" in found.stdout
    assert "To see them: --resources" in lines[-1]


def test_what_is_to_be_set_first_is_the_answer(preview: Callable[..., Shown]) -> None:
    found = preview(ROOT, "prod")
    assert found.returncode == 0
    first = found.stdout.splitlines()[0]
    assert first.startswith(f"Not yet: huggingFaceToken is not set, and {SCOUT} is gated on Hugging Face: pulumi up")
    assert re.search(r"\. Then: 2 x g5.48xlarge, \$32.96/h; \d+ questions only your account can answer, 1 warn", first)


def test_resources_and_values_are_shown_on_request(preview: Callable[..., Shown]) -> None:
    found = preview(ROOT, "dev", Wanted(resources=True, values=True)).stdout
    assert parts_of(found) == ["Plan", "Topology", "Resources", "Helm values", "Price", "Checks"]
    assert "vllm-eks-dev-vpc  aws:ec2/vpc:Vpc" in found
    assert "# llama-4-scout (" in found


def test_every_warning_of_pulumi_s_log_is_in_the_preview_and_in_its_answer(
    preview: Callable[..., Shown], project: Path
) -> None:
    stack_file = project / "Pulumi.dev.yaml"
    stack_file.write_text(stack_file.read_text().replace("config:\n", "config:\n  vllm-eks:apiKey: planted\n"))
    program = project / "__main__.py"
    program.write_text(program.read_text() + '\npulumi.log.warn("the last word")\npulumi.log.info("by the way")\n')
    lines = preview(project).stdout.splitlines()
    assert lines[0].endswith(" questions only your account can answer, 3 warnings.")
    assert lines[3:6] == [
        "warning  vllm-eks:apiKey is in plain text in the stack file: run pulumi config set --secret apiKey, and "
        "replace the secret itself if others have seen the file",
        "warning  the last word",
        "info     by the way",
    ]
    assert json.loads(preview(project, "dev", Wanted(as_json=True)).stdout)["warnings"][1:] == [
        lines[3].removeprefix("warning  "),
        "the last word",
    ]


def test_json_is_one_object_with_the_answer_plans_checks_price_and_counts(preview: Callable[..., Shown]) -> None:
    found = preview(ROOT, "dev", Wanted(as_json=True))
    told = json.loads(found.stdout)
    assert (found.returncode, found.stderr) == (0, "")
    assert set(told) == {
        "stack", "region", "verdict", "answer", "models", "checks", "warnings", "price", "resources",
    }  # fmt: skip
    page = (ROOT / "docs" / "preview.md").read_text()
    assert [key for key in (*told, *told["price"], *told["models"]["llama-4-scout"]) if f"`{key}`" not in page] == []
    assert (told["stack"], told["region"], told["verdict"]) == ("dev", "us-west-2", "yes")
    assert told["answer"] == preview(ROOT, "dev").stdout.splitlines()[0]
    model = told["models"]["llama-4-scout"]
    assert (model["zones"], model["running_nodes"], model["parked"]) == (["us-west-2a"], 1, False)
    assert model["plan"]["parallelism"]["tensor_parallel_size"] == 8
    assert {check["status"] for check in told["checks"]} == {"passed", "warning", "unknown"}
    assert told["price"]["usd_per_hour"] == pytest.approx(sum(one["usd_per_hour"] for one in told["price"]["parts"]))
    assert told["resources"]["aws:ec2/subnet:Subnet"] == 8


def test_a_price_that_the_region_does_not_have_is_unknown_in_the_answer_too(
    preview: Callable[..., Shown], project: Path
) -> None:
    stack_file = project / "Pulumi.dev.yaml"
    stack_file.write_text(
        stack_file.read_text().replace("us-west-2", "eu-central-1").replace("1c, eu-central-1d", "1c")
    )
    found = preview(project).stdout
    assert (
        ": 1 x g5.48xlarge, price of g5.48xlarge unknown in eu-central-1 ($16.29/h for all GPU nodes in us-east-1);"
        in (found.splitlines()[0])
    )
    assert "unknown in eu-central-1 (16.29 in us-east-1)" in found
    assert "To look up instance types: vllm-eks catalog refresh --region eu-central-1" in found
    price = json.loads(preview(project, "dev", Wanted(as_json=True)).stdout)["price"]
    assert (price["usd_per_hour"], price["usd_per_hour_at_least"]) == (None, pytest.approx(0.005))


def part(stdout: str, title: str) -> str:
    return stdout.split(f"== {title}\n")[1].split("\n== ")[0]


def test_the_topology_shows_everything_once_control_plane_and_ways_in_and_out_too(
    preview: Callable[..., Shown],
) -> None:
    topology = part(preview(ROOT, "dev").stdout, "Topology")
    assert topology.count("llama-4-scout: 1 x g5.48xlarge, no placement group") == 1
    assert topology.count("GPU ") == 8
    for once in (
        "EKS control plane vllm-eks-dev, Kubernetes 1.36: its API is open to 0.0.0.0/0 and the VPC",
        "internet gateway: private subnets go out through the NAT gateway, nothing comes in",
        "S3 endpoint (gateway): traffic to it skips NAT",
        "system nodes: 2 x m7i.large, spread over us-west-2a and us-west-2b",
        "call http://llama-4-scout-api.vllm-llama-4-scout.svc.cluster.local:8000/v1 -> the first pod of each replica",
    ):
        assert topology.count(once) == 1, once
    assert "GPU 7" in topology.split("├── us-west-2b")[0]


def test_gpus_that_no_replica_uses_are_drawn_idle(preview: Callable[..., Shown], project: Path) -> None:
    stack_file = project / "Pulumi.dev.yaml"
    changed = "maxModelLen: 16384\n      tensorParallelSize: 2\n      replicas: 3"
    model = "Qwen/Qwen3-32B"
    text = stack_file.read_text().replace("RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16", model)
    stack_file.write_text(
        text.replace("instanceType: g5.48xlarge", "instanceType: g6e.48xlarge").replace("maxModelLen: 16384", changed)
    )
    topology = part(preview(project).stdout, "Topology")
    drawn = [line.split("GPU ")[1].split()[1:3] for line in topology.splitlines() if "GPU " in line]
    assert [words[:1] if words[0] == "idle" else words for words in drawn] == [
        ["replica", "1"], ["replica", "1"], ["replica", "2"], ["replica", "2"],
        ["replica", "3"], ["replica", "3"], ["idle"], ["idle"],
    ]  # fmt: skip


def test_two_previews_of_one_stack_print_the_same(preview: Callable[..., Shown]) -> None:
    assert preview(ROOT, again=True).stdout == preview(ROOT).stdout


def test_the_command_previews_dev() -> None:
    command = [sys.executable, "-c", "from cli.main import main; main()", "preview"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("Yes, when your account allows it: 1 x g5.48xlarge, ")


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
    assert (found.returncode, found.stdout) == (3, f"No: models.llama-4-scout: {SCOUT} does not fit g5.48xlarge.\n")
    assert found.stderr.splitlines()[0] == f"models.llama-4-scout: {SCOUT} does not fit g5.48xlarge:"
    assert "would work: pipelineParallelSize: 2: 2 x g5.48xlarge ($32.58/h)" in found.stderr
    assert "Traceback" not in found.stderr
    refused = preview(project, "prod", Wanted(as_json=True))
    told = json.loads(refused.stdout)
    assert (refused.returncode, told["verdict"], told["resources"]) == (3, "no", {})
    assert told["models"]["llama-4-scout"]["plan"]["refusals"][0]["code"] == "weights_do_not_fit"


def test_a_folder_without_the_program_is_told(preview: Callable[..., Shown], project: Path) -> None:
    (project / "__main__.py").unlink()
    found = preview(project)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        f"there is no __main__.py in {project}: the preview runs the program; give its folder with --folder\n"
    )


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


def test_a_model_without_a_pinned_commit_is_named(preview: Callable[..., Shown]) -> None:
    shown = " ".join(preview().stdout.split())
    assert (
        "no commit is pinned, so each start on a fresh node downloads the newest one of the model's repository: "
        "set revision, or run vllm-eks lock ORGANIZATION/NAME"
    ) in shown
