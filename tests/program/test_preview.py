"""The offline preview runs the real program and shows what it registers."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.json_paths import json_paths
from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_235B, SCOUT
from tests.support.previews import ROOT, Shown
from vllm_eks.cli.preview import PreviewOptions
from vllm_eks.cli.views.json_keys import PREVIEW_KEYS
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
RELEASE = "kubernetes:helm.sh/v3:Release"
GPU_GROUP = "vllm-eks:index:GpuNodeGroup"


@pytest.fixture
def recorded() -> Callable[..., Recording]:
    def run(stack: str, folder: Path) -> Recording:
        return record(folder, read_stack_file(folder, stack).for_offline_preview())

    return run


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


def test_the_release_waits_for_controllers_and_its_own_nodes_and_nothing_else_waits_for_gpus(
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
        f"Yes, if your account allows it: 1 x g5.48xlarge, $16.66/h; {asked} checks that need your account, 1 warning."
    )
    assert lines[1] == "Offline preview of stack dev in us-west-2: nothing is created, and AWS is not contacted."
    assert lines[2].startswith("warning  cluster.publicAccessCidrs: 0.0.0.0/0 exposes the Kubernetes API to the int")
    assert parts_of(found.stdout) == ["Plan", "Topology", "Price", "Checks"]
    assert "unknown  to check: g5.48xlarge is offered in us-west-2a\n         aws ec2 describe-instance" in found.stdout
    assert "--resources lists them" in lines[-1]


def test_settings_that_are_missing_are_the_answer(preview: Callable[..., Shown]) -> None:
    found = preview(ROOT, "prod")
    assert found.returncode == 0
    first = found.stdout.splitlines()[0]
    assert first.startswith(f"Not yet: huggingFaceToken is not set, and {SCOUT} is gated on Hugging Face: pulumi up")
    assert re.search(r"\. Then: 2 x g5.48xlarge, \$32.96/h; \d+ checks that need your account, 1 warn", first)


def test_resources_and_values_are_shown_on_request(preview: Callable[..., Shown]) -> None:
    found = preview(ROOT, "dev", PreviewOptions(resources=True, values=True)).stdout
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
    assert lines[0].endswith(" checks that need your account, 3 warnings.")
    assert lines[3:6] == [
        "warning  vllm-eks:apiKey is in plaintext in the stack file: run pulumi config set --secret apiKey, and "
        "replace the secret if others have seen the file",
        "warning  the last word",
        "info     by the way",
    ]
    assert json.loads(preview(project, "dev", PreviewOptions(as_json=True)).stdout)["warnings"][1:] == [
        lines[3].removeprefix("warning  "),
        "the last word",
    ]


def test_json_is_one_object_with_the_answer_plans_checks_price_and_counts(preview: Callable[..., Shown]) -> None:
    found = preview(ROOT, "dev", PreviewOptions(as_json=True))
    reported = json.loads(found.stdout)
    assert list(json_paths(reported, PREVIEW_KEYS)) == list(PREVIEW_KEYS)
    assert (found.returncode, found.stderr) == (0, "")
    assert set(reported) == {
        "stack",
        "region",
        "verdict",
        "answer",
        "models",
        "checks",
        "warnings",
        "price",
        "resources",
    }
    assert [key for key in reported["models"]["llama-4-scout"] if f"`{key}`" not in PREVIEW_KEYS["models"]] == []
    assert (reported["stack"], reported["region"], reported["verdict"]) == ("dev", "us-west-2", "yes")
    assert reported["answer"] == preview(ROOT, "dev").stdout.splitlines()[0]
    model = reported["models"]["llama-4-scout"]
    assert (model["zones"], model["running_nodes"], model["parked"]) == (["us-west-2a"], 1, False)
    assert model["plan"]["parallelism"]["tensor_parallel_size"] == 8
    assert {check["status"] for check in reported["checks"]} == {"passed", "warning", "unknown"}
    assert reported["price"]["usd_per_hour"] == pytest.approx(
        sum(one["usd_per_hour"] for one in reported["price"]["parts"])
    )
    assert reported["resources"]["aws:ec2/subnet:Subnet"] == 8


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
    price = json.loads(preview(project, "dev", PreviewOptions(as_json=True)).stdout)["price"]
    assert (price["usd_per_hour"], price["usd_per_hour_at_least"]) == (None, pytest.approx(0.373952))


def test_a_price_that_no_command_looks_up_has_no_advice(preview: Callable[..., Shown], project: Path) -> None:
    stack_file = project / "Pulumi.dev.yaml"
    text = stack_file.read_text().replace("us-west-2", "eu-west-1").replace("1c, eu-west-1d", "1c")
    text = text.replace("g5.48xlarge", "g4dn.xlarge").replace("16384", "2048")
    stack_file.write_text(re.sub(r"(?m)^( +)model: .*$", r"\1model: Qwen/Qwen3-0.6B", text))
    found = preview(project).stdout
    assert "an hour, without the unknown prices\n" in found
    assert "catalog refresh" not in found


def test_a_model_with_stated_sizes_is_deployed_with_a_warning(project: Path, preview: Callable[..., Shown]) -> None:
    stack_file = project / "Pulumi.dev.yaml"
    text = stack_file.read_text()
    sizes = "planned: false\n      tensorParallelSize: 8\n      pipelineParallelSize: 1\n      weightsGib: 60"
    stack_file.write_text(re.sub(r"(?m)^( +)model: .*$", rf"\1model: acme/odd\n\1{sizes}", text))
    found = preview(project, "dev")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("Yes, if your account allows it")
    assert (
        "warning  models.llama-4-scout.planned: not planned: nothing is known about memory, so vLLM may not start, and "
        "the sizes may cost more than needed: TP=8 PP=1 on 1 x g5.48xlarge, as stated"
    ) in found.stdout.replace("\n         ", " ")
