"""Shared parts of the tests of docs/explanation/security.md: the page's rows, and a stack's registrations."""

import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.support.chart_rendering import Rendered, render_text
from vllm_eks.preview.mock_cloud import Registration
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text()
ROWS = {int(row[0]): row[1:] for row in re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$", PAGE, re.MULTILINE)}
"""Number -> check, status, how."""
RELEASE = "kubernetes:helm.sh/v3:Release"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
SUBNET = "aws:ec2/subnet:Subnet"

REGISTRY, TOKEN = "registry.example.com", "hf_planted"
IMAGES = {
    key: f"{REGISTRY}/{key.lower()}@sha256:{number:064x}"
    for number, key in enumerate(
        (
            *("vllm", "hook", "weightsCopy", "leaderWorkerSet", "nvidiaDevicePlugin", "efaDevicePlugin"),
            *("awsLoadBalancerController", "dcgmExporter"),
        )
    )
} | {"monitoringRegistry": f"{REGISTRY}/mirror"}
BOUNDARY, ROLE_PATH = "arn:aws:iam::123456789012:policy/boundary", "/platform/"
CHARTS = (
    *("nvidiaDevicePlugin", "efaDevicePlugin", "leaderWorkerSet", "awsLoadBalancerController"),
    *("kubePrometheusStack", "dcgmExporter", "blackboxExporter"),
)
KEYS = {
    "aws:region": "us-west-2",
    "vllm-eks:network": {"zones": ["us-west-2a", "us-west-2b", "us-west-2c"], "natGateways": "perZone"},
    "vllm-eks:cluster": {
        "publicAccessCidrs": [],
        "deletionProtection": True,
        "admins": ["arn:aws:iam::123456789012:role/platform"],
    },
    "vllm-eks:tags": {"team": "serving"},
    "vllm-eks:endpoint": {
        "scheme": "internetFacing",
        "domain": "models.example.com",
        "certificateArn": "arn:aws:acm:us-west-2:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef",
        "sourceRanges": ["203.0.113.0/24"],
    },
    "vllm-eks:iam": {"permissionsBoundary": BOUNDARY, "rolePath": ROLE_PATH},
    "vllm-eks:images": IMAGES,
    "vllm-eks:charts": {name: {"repository": f"oci://{REGISTRY}/charts"} for name in CHARTS},
    "vllm-eks:observability": {"prometheus": "install"},
    "vllm-eks:huggingFaceToken": TOKEN,
    "vllm-eks:models": {
        "scout": {
            "model": "meta-llama/Llama-4-Scout-17B-16E-Instruct",
            "revision": "0123456789abcdef0123456789abcdef01234567",
            "instanceType": "p4d.24xlarge",
            "zone": "us-west-2a",
            "maxModelLen": 16384,
            "efa": True,
            "weights": {"source": "s3"},
            "clientNamespaces": ["team-a"],
        }
    },
}
"""A stack that sets each key of the page to another value than the shipped stacks."""


def record_beside(folder: Path, stack: str) -> Recording:
    """Record the program with an example, or with KEYS, as its stack file. `folder` is writable."""
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    file = folder / f"Pulumi.{stack}.yaml"
    if stack == "keys":
        file.write_text(yaml.safe_dump({"config": KEYS}))
    else:
        shutil.copy(ROOT / "examples" / file.name, folder)
    return record(ROOT, read_stack_file(folder, stack).for_offline_preview())


class Stack:
    """The registrations of a stack, with short names."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def made(self, type_: str) -> list[Registration]:
        """Return the registrations of a type. An AssertionError if there are none."""
        found = self.recording.of_type(type_)
        assert found, f"no {type_} is registered"
        return found

    def all(self, type_: str) -> list[dict[str, Any]]:
        return [dict(one.inputs) for one in self.made(type_)]

    def one(self, type_: str) -> dict[str, Any]:
        found = self.all(type_)
        assert len(found) == 1, f"{len(found)} of {type_}"
        return found[0]

    def types(self, pattern: str) -> set[str]:
        """Return the registered types that match a regular expression, in any case."""
        return {one.type for one in self.recording.registrations if re.search(pattern, one.type, re.IGNORECASE)}

    @property
    def plane(self) -> dict[str, Any]:
        return self.one("eks:index:Cluster")

    @property
    def addons(self) -> dict[str, dict[str, Any]]:
        return {one["addonName"]: one for one in self.all("aws:eks/addon:Addon")}

    @property
    def templates(self) -> dict[str, dict[str, Any]]:
        """The launch templates by their ID."""
        return {f"{one.name}-id": dict(one.inputs) for one in self.made("aws:ec2/launchTemplate:LaunchTemplate")}

    @property
    def gpu_groups(self) -> list[dict[str, Any]]:
        return [one for one in self.all(NODE_GROUP) if one["amiType"].endswith("NVIDIA")]

    @property
    def system_groups(self) -> list[dict[str, Any]]:
        return [one for one in self.all(NODE_GROUP) if one["amiType"].endswith("STANDARD")]

    @property
    def releases(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.all(RELEASE)}

    @property
    def namespaces(self) -> dict[str, dict[str, str]]:
        """Labels of each namespace."""
        found = self.all("kubernetes:core/v1:Namespace")
        return {one["metadata"]["name"]: one["metadata"].get("labels", {}) for one in found}

    def policies_of(self, role: str) -> set[str]:
        attached = self.all("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        return {one["policyArn"].rpartition("/")[2] for one in attached if role in one["role"]}

    @cached_property
    def charts(self) -> list[Rendered]:
        """The chart with the values of each model."""
        return [
            Rendered(render_text(one["values"], release=one["name"], namespace=one["namespace"]))
            for one in self.releases.values()
            if one["chart"].endswith("charts/vllm")
        ]

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """All Kubernetes objects of the stack, rendered or registered."""
        rendered = [one for chart in self.charts for one in chart.objects]
        registered = [
            dict(one.inputs)
            for one in self.recording.registrations
            if one.type.startswith("kubernetes:") and one.type != RELEASE
        ]
        return rendered + registered

    def kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.objects if one["kind"] == kind]

    @property
    def pods(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The spec of each pod template with its role: leader, worker, ready or copy-weights."""
        for one in self.objects:
            for template in _templates(one):
                labels = template["metadata"]["labels"]
                yield labels.get("app.kubernetes.io/component", labels["app.kubernetes.io/name"]), template["spec"]

    @property
    def containers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for who, spec in self.pods:
            yield from ((who, one) for one in [*spec.get("initContainers", []), *spec["containers"]])


def _templates(value: object) -> Iterator[dict[str, Any]]:
    """Yield every pod template within an object, under any key."""
    if isinstance(value, list):
        for item in value:
            yield from _templates(item)
    elif isinstance(value, Mapping):
        if isinstance(spec := value.get("spec"), Mapping) and "containers" in spec:
            yield dict(value)
        for item in value.values():
            yield from _templates(item)
