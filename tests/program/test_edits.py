"""docs/how-to/edits.md: each row matches two runs of the program and the providers' schemas."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.program.edits import NODE_GROUP, Effect, effect, schema
from tests.support.files import write_anew
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "edits.md").read_text()
ROWS = {row[0]: list(row[1:6]) for row in re.findall(r"^\| (.+?) " + r"\|([^|]*)" * 5 + r"\|.*\|$", PAGE, re.MULTILINE)}
Change = Callable[[dict[str, Any]], None]
PINS = {"vpc-cni": "v1.23.0-eksbuild.1", "coredns": "v1.14.3-eksbuild.3", "kube-proxy": "v1.35.0-eksbuild.1"}
PINS |= {"eks-pod-identity-agent": "v1.4.0-eksbuild.1", "eks-node-monitoring-agent": "v1.7.0-eksbuild.1"}


def of_model(**keys: Any) -> Change:
    return lambda config: config["vllm-eks:models"]["scout"].update(keys)


def of(section: str, **keys: Any) -> Change:
    return lambda config: config.setdefault(f"vllm-eks:{section}", {}).update(keys)


def spread(config: dict[str, Any]) -> None:
    model = config["vllm-eks:models"]["scout"]
    model.update(zones=[model.pop("zone"), "us-west-2b"], replicas=2)


def upgrade(config: dict[str, Any]) -> None:
    # A downgrade, because only two versions are supported, and the inputs change in the same way.
    of("cluster", kubernetesVersion="1.35", addonVersions=PINS, nodeReleaseVersion="1.35.1-20260714")(config)


def reserve(config: dict[str, Any]) -> None:
    of_model(capacityReservationId="cr-0123456789abcdef0")(config)


def home_goes(config: dict[str, Any]) -> None:
    model = config["vllm-eks:models"]["scout"]
    model.update(zone=model.pop("zones")[1], replicas=1)


def replicas_become_zones(config: dict[str, Any]) -> None:
    model = config["vllm-eks:models"]["scout"]
    model.update(zones=[model.pop("zone"), "us-west-2b"])


def another_model(config: dict[str, Any]) -> None:
    models = config["vllm-eks:models"]
    models["qwen3"] = {"model": "Qwen/Qwen3-8B", "instanceType": "g6.12xlarge", "zone": "us-west-2b"}


def rename(config: dict[str, Any]) -> None:
    models = config["vllm-eks:models"]
    models["llama"] = models.pop("scout")


PODS = "`maxModelLen`, `maxNumSeqs`, `servedNames`, `env`, `extraArgs`, `gpuMemoryUtilization`, `image`"
EDITS: dict[str, Change] = {
    PODS: of_model(maxModelLen=8192),
    "`clientNamespaces`": of_model(clientNamespaces=["team-a"]),
    "`replicas`": of_model(replicas=2),
    "`parked`": of_model(parked=True),
    "`model`": of_model(model="Qwen/Qwen3-235B-A22B", pipelineParallelSize=4),
    "`instanceType`": of_model(instanceType="g6.48xlarge"),
    "`zone`": of_model(zone="us-west-2b"),
    "`zone` to `zones`, the old zone first": spread,
    "`capacityType`": of_model(capacityType="spot"),
    "`capacityReservationId`": reserve,
    "`efa`": of_model(efa=True),
    "`zones: [a, b]` to `zone: b`": home_goes,
    "`zone: a`, `replicas: 2` to `zones: [a, b]`": replicas_become_zones,
    "`images.hook`": of("images", hook="registry.example.com/python:3.12.8"),
    "`systemInstanceType`": of("cluster", systemInstanceType="m7i.xlarge"),
    "`iam.permissionsBoundary`": of("iam", permissionsBoundary="arn:aws:iam::123456789012:policy/boundary"),
    "one more model": another_model,
    "a model's name": rename,
    "`tags`": of("tags", team="serving"),
    "`kubernetesVersion`, with add-ons and image": upgrade,
    "`nodeReleaseVersion`": of("cluster", nodeReleaseVersion="1.36.3-20261101"),
    "`addonVersions`": of("cluster", addonVersions={"coredns": "v1.14.4-eksbuild.1"}),
    "`publicAccessCidrs`, `admins`, `deletionProtection`": of("cluster", publicAccessCidrs=[], deletionProtection=True),
    "`natGateways`": of("network", natGateways="perZone"),
    "one more zone in `network.zones`": of("network", zones=["us-west-2a", "us-west-2b", "us-west-2c"]),
    "the order of `network.zones`": of("network", zones=["us-west-2b", "us-west-2a"]),
    "`cidr`": of("network", cidr="10.1.0.0/16"),
    "`charts`": of("charts", leaderWorkerSet={"version": "0.10.1"}),
    "`apiKey`, `secondApiKey`": lambda config: config.update({"vllm-eks:secondApiKey": "another"}),
    "`huggingFaceToken`": lambda config: config.update({"vllm-eks:huggingFaceToken": "another"}),
    "`weights.source` to `s3`": of_model(weights={"source": "s3"}, revision="0123456789abcdef0123456789abcdef01234567"),
}


EDITED_FROM: dict[str, Change] = {
    "`zones: [a, b]` to `zone: b`": spread,
    "`zone: a`, `replicas: 2` to `zones: [a, b]`": of_model(replicas=2),
}
"""The stack before the edit, if it is not the default one."""


@dataclass
class Runs:
    """A stack that is edited."""

    folder: Path
    known: dict[str, Recording] = field(default_factory=dict)
    """By text of the stack file, because one edit may end where another begins."""

    def record_once(self, change: Change) -> Recording:
        text = self.text(change)
        if text not in self.known:
            self.known[text] = self.record(change)
        return self.known[text]

    def record(self, change: Change | None = None) -> Recording:
        write_anew(self.folder / "Pulumi.test.yaml", self.text(change))
        return record(self.folder, read_stack_file(self.folder, "test").for_offline_preview())

    def text(self, change: Change | None) -> str:
        config = {
            "aws:region": "us-west-2",
            "vllm-eks:apiKey": "one",
            "vllm-eks:huggingFaceToken": "hf",
            "vllm-eks:network": {"zones": ["us-west-2a", "us-west-2b"]},
            "vllm-eks:cluster": {"publicAccessCidrs": ["203.0.113.0/24"]},
            "vllm-eks:models": {
                "scout": {
                    "model": "meta-llama/Llama-4-Scout-17B-16E-Instruct",
                    "instanceType": "g5.48xlarge",
                    "zone": "us-west-2a",
                    "maxModelLen": 16384,
                    "maxNumSeqs": 64,
                    "limitMmPerPrompt": {"image": 1},
                }
            },
        }
        if change:
            change(config)
        models = config["vllm-eks:models"].values()
        for model in models:
            if "Scout" not in model["model"]:
                model.pop("limitMmPerPrompt", None)
        return yaml.safe_dump({"config": config})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("edited")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "charts", folder / "charts")
    return Runs(folder)


@pytest.fixture(scope="module")
def before(runs: Runs) -> Recording:
    return runs.record()


def test_every_edit_has_its_row_and_every_row_its_edit() -> None:
    assert set(ROWS) - {"edit", "---"} >= set(EDITS)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_does_what_its_row_says(runs: Runs, before: Recording, edit: str) -> None:
    if start := EDITED_FROM.get(edit):
        before = runs.record_once(start)

    def both(config: dict[str, Any]) -> None:
        if start:
            start(config)
        EDITS[edit](config)

    found = effect(before, runs.record_once(both)).cells()
    assert found == [cell.strip() for cell in ROWS[edit]], f"| {edit} | {' | '.join(found)} |"


def test_a_second_run_changes_nothing_though_the_key_is_made_at_each(runs: Runs) -> None:
    first, second = (runs.record(lambda config: config.pop("vllm-eks:apiKey")) for _ in range(2))
    (stash,), (again,) = (run.of_type("pulumi:index:Stash") for run in (first, second))
    assert stash.inputs != again.inputs
    # The Secret's own content is the Stash's output, which the engine keeps: tests/e2e/test_real_engine.py.
    assert effect(first, second).in_place <= {"secret"}


def test_a_run_without_an_edit_changes_nothing(runs: Runs, before: Recording) -> None:
    nothing = Effect(*(frozenset() for _ in range(5)))
    assert effect(before, runs.record()) == nothing
    assert effect(before, before) == nothing


def test_an_edited_chart_reaches_the_release(runs: Runs, before: Recording) -> None:
    template = runs.folder / "charts" / "vllm" / "templates" / "service.yaml"
    text = template.read_text()
    template.write_text(text + "# a comment\n")
    try:
        # The digest is of the chart next to the program's own code, not of the copy in the folder.
        assert effect(before, runs.record()).in_place <= {"model release"}
    finally:
        template.write_text(text)


def test_no_edit_replaces_the_control_plane_or_a_release_but_those_that_say_so() -> None:
    dear = {"control plane", "model release", "controller release", "system node group"}
    assert {edit for edit in EDITS if dear & set(ROWS[edit][0].replace(",", " ").split("  "))} <= {"`cidr`"}


def test_gpu_groups_are_replaced_delete_first(before: Recording) -> None:
    groups = [one for one in before.of_type(NODE_GROUP) if "vllm-eks/model" in (one.inputs.get("labels") or {})]
    assert [one.request.deleteBeforeReplace for one in groups] == [True]


def test_the_table_of_schemas_has_every_type_of_the_program(before: Recording) -> None:
    assert {one.type for one in before.registrations if one.type.startswith(("aws:", "kubernetes:"))} <= schema().keys()
