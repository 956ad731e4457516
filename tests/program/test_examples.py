"""Every example, previewed by the real program, with its characteristic properties."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.resource_graph import Graph
from vllm_eks.cli.preview import run_preview
from vllm_eks.cli.views.cost import show_costs
from vllm_eks.cli.views.models import client_lines
from vllm_eks.cli.views.preview_json import preview_json
from vllm_eks.cli.views.screen import console
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in (ROOT / "examples").glob("Pulumi.*.yaml"))
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
RELEASE = "kubernetes:helm.sh/v3:Release"
PLACEMENT = "aws:ec2/placementGroup:PlacementGroup"


@pytest.fixture(scope="module")
def folder(example_folder: Path) -> Path:
    return example_folder


@pytest.fixture(scope="module")
def recorded(recorded_example: Callable[[str], Recording]) -> Callable[[str], Recording]:
    return recorded_example


def gpu_groups(recording: Recording) -> dict[str, dict]:
    groups = {one.name: dict(one.inputs) for one in recording.of_type(NODE_GROUP)}
    return {name: inputs for name, inputs in groups.items() if "vllm-eks/model" in (inputs.get("labels") or {})}


def test_the_expected_examples_exist() -> None:
    assert EXAMPLES == [
        "endpoint-internal",
        "endpoint-internet",
        "existing-cluster",
        "existing-network",
        "logs",
        "observability-existing",
        "observability-install",
        "parked",
        "reservation",
        "s3",
        "three-zones",
        "two-models",
        "two-teams",
        "two-zones",
    ]


@pytest.mark.parametrize("stack", EXAMPLES)
def test_an_example_passes_its_preview(
    folder: Path,
    recorded: Callable[[str], Recording],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    stack: str,
) -> None:
    # Each runs once in this module. A refusal, which the preview would print, is raised here.
    monkeypatch.setattr("vllm_eks.cli.preview._run", lambda _, file: recorded(file.stack))
    assert run_preview(folder, stack) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    checks = shown.out.split("== Checks")[1]
    assert not re.findall("^failed", checks, re.MULTILINE)


def test_logs_are_billed_by_usage_and_kept(
    recorded: Callable[[str], Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    recording = recorded("logs")
    groups = {one.inputs.get("name"): one for one in recording.of_type("aws:cloudwatch/logGroup:LogGroup")}
    assert groups["/aws/eks/vllm-eks-logs/models"].inputs["retentionInDays"] == 90
    assert [one.request.retainOnDelete for one in groups.values()] == [True] * 3
    show_costs(recording, console())
    assert "logs: a million requests are about 0.28 GB\n" in capsys.readouterr().out


def test_two_models_share_all_but_their_nodes(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("two-models")
    groups = gpu_groups(recording)
    assert {name: inputs["subnetIds"] for name, inputs in groups.items()} == {
        "vllm-eks-two-models-llama-4-scout-nodes": ["vllm-eks-two-models-private-us-west-2a-id"],
        "vllm-eks-two-models-qwen3-8b-nodes": ["vllm-eks-two-models-private-us-west-2b-id"],
    }
    assert len(recording.of_type("eks:index:Cluster")) == 1
    assert groups["vllm-eks-two-models-qwen3-8b-nodes"]["scalingConfig"]["desiredSize"] == 1, "two replicas a node"


def test_each_team_has_a_key_and_one_may_use_a_single_model(recorded: Callable[[str], Recording]) -> None:
    assert list(client_lines(recorded("two-teams").clients)) == [
        "named clients of llama-4-scout: chat, research",
        "named clients of qwen3-8b: research",
    ]
    assert preview_json(recorded("two-teams"), "two-teams")["models"]["qwen3-8b"]["clients"] == ["research"]
    assert list(client_lines({"a": ["x"], "b": [], "c": ["x"]})) == [
        "named clients of a, c: x",
        "named clients of b: none, only the keys of the stack",
    ]
    assert list(client_lines({"a": ["x"]})) == ["named clients: x"]
    assert list(client_lines(recorded("two-models").clients)) == []
    secrets = [one for one in recorded("two-teams").of_type("kubernetes:core/v1:Secret") if "api-key" in one.name]
    assert {one.name: set(one.inputs["stringData"]) - {"apiKey"} for one in secrets} == {
        "llama-4-scout-api-key": {"client.chat", "client.research"},
        "qwen3-8b-api-key": {"denied.chat", "client.research"},
    }


def test_in_an_existing_network_no_network_is_made(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("existing-network")
    made = {one.type for one in recording.registrations if one.type.startswith("aws:ec2/")}
    assert made == {"aws:ec2/launchTemplate:LaunchTemplate"}
    control_plane = recording.of_type("eks:index:Cluster")[0].inputs
    assert control_plane["vpcId"] == "vpc-0123456789abcdef0"
    assert control_plane["privateSubnetIds"] == ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    assert "publicSubnetIds" not in control_plane


def test_on_an_existing_cluster_only_nodes_controllers_and_models_are_made(
    recorded: Callable[[str], Recording],
) -> None:
    recording = recorded("existing-cluster")
    assert recording.of_type("eks:index:Cluster") == []
    assert recording.of_type("aws:kms/key:Key") == []
    assert [one.inputs["name"] for one in recording.of_type("kubernetes:helm.sh/v3:Release")] == ["qwen3-8b", "lws"]
    (group,) = gpu_groups(recording).values()
    assert group["clusterName"] == "platform"


def test_names_that_an_existing_cluster_must_not_have_are_on_its_page(recorded: Callable[[str], Recording]) -> None:
    page = (ROOT / "docs" / "how-to" / "existing.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("| nothing else uses the namespaces ")]
    for stack in ("existing-cluster", "two-models", "s3"):
        recording = recorded(stack)
        namespaces = [one.inputs["metadata"]["name"] for one in recording.of_type("kubernetes:core/v1:Namespace")]
        releases = {one.inputs["name"] for one in recording.of_type(RELEASE)} - recording.fleet.keys()
        assert releases
        for model in recording.fleet:
            namespaces = [name.replace(f"vllm-{model}", "vllm-<model>") for name in namespaces]
        assert [name for name in (*namespaces, *releases) if f"`{name}`" not in row] == []


def test_nodes_of_a_reservation_use_it_and_are_protected(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("reservation")
    template = next(one for one in recording.of_type("aws:ec2/launchTemplate:LaunchTemplate") if "scout" in one.name)
    target = template.inputs["capacityReservationSpecification"]["capacityReservationTarget"]
    assert target == {"capacityReservationId": "cr-0123456789abcdef0"}
    assert template.inputs["placement"] == {"groupName": "scout"}
    assert recording.of_type(PLACEMENT) == []
    assert recording.of_type("eks:index:Cluster")[0].inputs["deletionProtection"] is True


def test_a_parked_model_keeps_all_but_its_nodes(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("parked")
    (group,) = gpu_groups(recording).values()
    assert group["scalingConfig"] == {"minSize": 0, "desiredSize": 0, "maxSize": 1}
    release = next(one for one in recording.of_type("kubernetes:helm.sh/v3:Release") if "llama" in one.name)
    assert release.inputs["values"]["replicas"] == 0
    assert recording.outputs["models"]["llama-4-scout"]["parked"] is True
    assert recording.outputs["usdPerHour"] == 0


def test_parking_changes_two_numbers_and_nothing_else(folder: Path, recorded: Callable[[str], Recording]) -> None:
    parked, file = recorded("parked"), folder / "Pulumi.parked.yaml"
    text = file.read_text()
    file.write_text(text.replace("      parked: true\n", ""))
    running = record(folder, read_stack_file(folder, "parked").for_offline_preview())
    file.write_text(text)
    before, after = ({one.urn: dict(one.inputs) for one in run.registrations} for run in (running, parked))
    assert before.keys() == after.keys()
    # A generated API key differs on each run, so the engine keeps the first.
    changed = {urn.rpartition("::")[2] for urn in before if before[urn] != after[urn]}
    changed -= {"llama-4-scout-api-key", "llama-4-scout-made-api-key"}
    assert changed == {"vllm-eks-parked-llama-4-scout-nodes", "llama-4-scout-release"}


def test_two_zones_get_a_group_each(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("two-zones")
    groups = gpu_groups(recording)
    assert {name: inputs["subnetIds"] for name, inputs in groups.items()} == {
        "vllm-eks-two-zones-llama-4-scout-nodes": ["vllm-eks-two-zones-private-us-west-2a-id"],
        "vllm-eks-two-zones-llama-4-scout-us-west-2b-nodes": ["vllm-eks-two-zones-private-us-west-2b-id"],
    }
    assert {inputs["scalingConfig"]["desiredSize"] for inputs in groups.values()} == {1}
    assert recording.of_type(PLACEMENT) == [], "a replica is one node"
    release = next(one for one in recording.of_type("kubernetes:helm.sh/v3:Release") if "llama" in one.name)
    assert release.inputs["values"]["placement"]["zones"] == ["us-west-2a", "us-west-2b"]
    assert {name for name in release.depends_on if name.endswith("-nodes")} >= groups.keys()


def test_three_zones_are_enough(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("three-zones")
    zones = {one.inputs["availabilityZone"] for one in recording.of_type("aws:ec2/subnet:Subnet")}
    assert zones == {"us-east-2a", "us-east-2b", "us-east-2c"}


def test_weights_are_copied_once_and_the_model_waits_for_all_of_them(recorded: Callable[[str], Recording]) -> None:
    recording = recorded("s3")
    (job,) = recording.of_type("kubernetes:batch/v1:Job")
    (release,) = [one for one in recording.registrations if one.name == "llama-4-scout-release"]
    (bucket,) = recording.of_type("aws:s3/bucket:Bucket")
    revision = "0123456789abcdef0123456789abcdef01234567"
    uri = f"s3://{bucket.name}-id/meta-llama/Llama-4-Scout-17B-16E-Instruct/{revision}"
    assert release.inputs["values"]["weights"] == {"s3Uri": uri, "region": "us-west-2"}
    assert job.name in release.depends_on
    # The copy needs the cluster's system nodes, but no GPU.
    (copy,) = recording.of_type("vllm-eks:index:ModelWeights")
    assert "vllm-eks-s3-llama-4-scout-nodes" not in copy.depends_on
    assert "vllm-eks-s3-coredns" in copy.depends_on
    graph = Graph(recording)
    assert graph.goes_before("NodeGroup llama-4-scout-nodes", "Job llama-4-scout-copy-job"), "idle GPUs would be paid"
    assert not graph.goes_before("NodeGroup system-nodes", "Job llama-4-scout-copy-job")
    flags = release.inputs["values"]["vllmArgs"]
    assert flags[flags.index("--load-format") + 1] == "runai_streamer"
    assert flags[flags.index("--tool-call-parser") + 1] == "llama4_pythonic"
