"""The preview's topology, its command, and that it never shows secrets or tracebacks."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.plans import SCOUT
from tests.support.previews import ROOT, Shown
from vllm_eks.cli.preview import PreviewOptions
from vllm_eks.preview.recording import record
from vllm_eks.stack_files.read import read_stack_file


def part(stdout: str, title: str) -> str:
    return stdout.split(f"== {title}\n")[1].split("\n== ")[0]


def test_the_topology_shows_everything_once_including_control_plane_ingress_and_egress(
    preview: Callable[..., Shown],
) -> None:
    topology = part(preview(ROOT, "dev").stdout, "Topology")
    assert topology.count("llama-4-scout: 1 x g5.48xlarge, no placement group") == 1
    assert topology.count("GPU ") == 8
    for once in (
        "EKS control plane vllm-eks-dev, Kubernetes 1.36: its API can be reached from 0.0.0.0/0 and the VPC",
        "internet gateway: private subnets reach the internet through the NAT gateway; no inbound traffic",
        "S3 endpoint (gateway): traffic to it bypasses NAT",
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
        ["replica", "1"],
        ["replica", "1"],
        ["replica", "2"],
        ["replica", "2"],
        ["replica", "3"],
        ["replica", "3"],
        ["idle"],
        ["idle"],
    ]


def test_two_previews_of_one_stack_print_the_same(preview: Callable[..., Shown]) -> None:
    assert preview(ROOT, again=True).stdout == preview(ROOT).stdout


def test_the_command_previews_dev() -> None:
    command = [sys.executable, "-c", "from vllm_eks.cli.main import main; main()", "preview"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("Yes, if your account allows it: 1 x g5.48xlarge, ")


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
    refused = preview(project, "prod", PreviewOptions(as_json=True))
    reported = json.loads(refused.stdout)
    assert (refused.returncode, reported["verdict"], reported["resources"]) == (3, "no", {})
    assert reported["models"]["llama-4-scout"]["plan"]["refusals"][0]["code"] == "weights_do_not_fit"


def test_a_folder_without_the_program_is_reported(preview: Callable[..., Shown], project: Path) -> None:
    (project / "__main__.py").unlink()
    found = preview(project)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        f"there is no __main__.py in {project}: the preview runs the program, so set --folder to its folder\n"
    )


def test_a_wrong_stack_file_or_stack_is_reported_without_a_traceback(
    preview: Callable[..., Shown], project: Path
) -> None:
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
    assert len((ROOT / "__main__.py").read_text().splitlines()) <= 125


def test_a_model_without_a_pinned_commit_is_named(preview: Callable[..., Shown]) -> None:
    shown = " ".join(preview().stdout.split())
    assert (
        "no commit is pinned, so each start on a new node downloads the newest commit of the model's repository: "
        "set revision, or run vllm-eks lock ORGANIZATION/NAME"
    ) in shown
