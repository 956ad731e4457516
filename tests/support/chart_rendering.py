"""Shared parts of the chart's tests: the tools, values to render, and the rendered objects."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "vllm"
# libyaml if PyYAML has it, because the Python parser takes a tenth of a second and more for a rendered chart.
LOADER, DUMPER = getattr(yaml, "CSafeLoader", yaml.SafeLoader), getattr(yaml, "CSafeDumper", yaml.SafeDumper)
IMAGE = "public.ecr.aws/deep-learning-containers/vllm:server-cuda-v2.3"


@cache
def tool(name: str) -> str | None:
    """Find helm, kubectl or kubeconform on PATH or in the lab's binaries."""
    lab = Path(os.environ.get("KUBE_LAB", Path.home() / ".cache" / "kube-lab"))
    return shutil.which(name) or shutil.which(name, path=lab / "bin")


def model_values(*, tensor: int = 8, pipeline: int = 1, **others: Any) -> dict[str, Any]:
    """Return a full set of values. `others` replace top-level keys."""
    return {
        "image": IMAGE,
        "vllmVersion": "0.27.0",
        "model": {"id": "org/model", "revision": None, "servedName": "scout"},
        "replicas": 1,
        "tensorParallelSize": tensor,
        "pipelineParallelSize": pipeline,
        "vllmArgs": ["--tensor-parallel-size", str(tensor), "--pipeline-parallel-size", str(pipeline)],
        "port": 8000,
        "placement": {"zones": ["us-west-2a"], "instanceType": "g5.48xlarge"},
        "resources": {"cpu": "153600m", "memory": "614Gi", "ephemeralStorage": "270Gi", "efa": 0},
        "sharedMemory": "16Gi",
        "weightsStorage": "250Gi",
        "weights": {"nodePath": "/mnt/k8s-disks/0/vllm-eks-weights"},
        "startup": {"budgetSeconds": 2400},
        "readiness": {"image": "python:3.12.8-alpine3.21", "timeoutSeconds": 2700},
        "secrets": {"apiKey": "api-key-1", "huggingFaceToken": None},
        "recheck": {"chartDigest": "d1", "nodes": "made-from-1"},
        **others,
    }


def with_value(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of the values with the key at the dotted path set."""
    key, _, rest = path.partition(".")
    return {**values, key: with_value(values.get(key) or {}, rest, value) if rest else value}


def without_value(values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return a copy of the values without the key at the dotted path."""
    key, _, rest = path.partition(".")
    if not rest:
        return {k: v for k, v in values.items() if k != key}
    return {**values, key: without_value(values[key], rest)}


def run_helm(*arguments: str, values: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run helm with the values on its standard input."""
    return _helm(*arguments, values=yaml.dump(dict(values), Dumper=DUMPER))


def _helm(*arguments: str, values: str) -> subprocess.CompletedProcess[str]:
    helm = tool("helm")
    assert helm, "callers skip, or fail, without helm"
    # A run of helm ends before garbage collection is useful, and collecting takes a quarter of the time.
    environment = {**os.environ, "GOGC": "off"}
    command = [helm, *arguments, "--values", "-"]
    return subprocess.run(command, input=values, capture_output=True, text=True, env=environment)


def render_text(
    values: Mapping[str, Any], *, release: str = "scout", namespace: str = "vllm-scout", chart: Path = CHART
) -> str:
    """Render the chart. If helm refuses, an AssertionError has its message.

    The project's own chart is rendered once for the same values.
    """
    text = yaml.dump(dict(values), Dumper=DUMPER)
    return (_rendered if chart == CHART else _rendered.__wrapped__)(text, release, namespace, chart)


@cache
def _rendered(values: str, release: str, namespace: str, chart: Path) -> str:
    done = _helm("template", release, str(chart), "--namespace", namespace, values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Rendered:
    """The rendered objects."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects = [found for found in yaml.load_all(text, Loader=LOADER) if found]

    def one(self, kind: str) -> dict[str, Any]:
        """Return the only object of a kind."""
        (found,) = [candidate for candidate in self.objects if candidate["kind"] == kind]
        return found

    def template(self, role: str) -> dict[str, Any]:
        """Return the pod template of "leader" or "worker"."""
        return self.one("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"][f"{role}Template"]

    def container(self, role: str) -> dict[str, Any]:
        """Return the only container of "leader" or "worker"."""
        (found,) = self.template(role)["spec"]["containers"]
        return found

    def env(self, role: str) -> dict[str, Any]:
        """Return the environment of "leader" or "worker" by name: plain values, or else their sources."""
        return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in self.container(role)["env"]}

    def volume(self, role: str, name: str) -> dict[str, Any]:
        """Return a volume of "leader" or "worker" by its name."""
        (found,) = [entry for entry in self.template(role)["spec"]["volumes"] if entry["name"] == name]
        return found

    def revision(self) -> str:
        """Return the revision, which must be the same for leader, worker and hook Job."""
        job = self.one("Job")["spec"]["template"]["metadata"]["annotations"]
        labels = [self.template(role)["metadata"]["labels"] for role in ("leader", "worker")]
        (found,) = {job["vllm-eks/revision"], *(entry["vllm-eks/revision"] for entry in labels)}
        return found
