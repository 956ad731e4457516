"""The lab's cluster for the end-to-end tests: kubectl and helm calls, and waiting."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.chart_rendering import CHART, tool

TOOLS = ("helm", "kubectl", "kubeconform")
MARK = "vllm-eks/e2e"
WAIT_SECONDS = 600
"""The limit for conditions that never become true. Others take seconds, or minutes on a busy machine."""


class LabMissingError(Exception):
    """There is no cluster for these tests. The message is one sentence for the user."""


@dataclass(frozen=True)
class Cluster:
    """A reachable cluster of fake nodes."""

    environment: Mapping[str, str]

    def run(self, name: str, *arguments: str, stdin: str = "") -> str:
        """Run a tool with the cluster and return its output. Fail with its error."""
        binary = tool(name)
        assert binary
        done = subprocess.run(
            [binary, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=dict(self.environment),
            timeout=WAIT_SECONDS,
        )
        assert done.returncode == 0, f"{name} {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        return self.run("kubectl", *arguments, stdin=stdin)

    def get(self, kind: str, *arguments: str) -> Any:
        """Return an object, or the items of a list."""
        found = json.loads(self.kubectl("get", kind, *arguments, "--output=json"))
        return found.get("items", found)

    def make_namespace(self, name: str, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Create a namespace that enforces the restricted Pod Security Standard, with Secrets."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted", MARK: "true"}
        objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}]
        for secret, content in secrets.items():
            meta = {"name": secret, "namespace": name}
            objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": dict(content)})
        self.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(objects))

    def delete_namespaces(self) -> None:
        """Delete everything that these tests created, now or in an earlier run."""
        self.kubectl("delete", "namespace", f"--selector={MARK}=true", "--wait", f"--timeout={WAIT_SECONDS}s")

    def helm(self, action: str, release: str, namespace: str, values: Mapping[str, Any]) -> None:
        """Install or upgrade a release of the chart."""
        arguments = (
            action,
            release,
            str(CHART),
            f"--namespace={namespace}",
            f"--timeout={WAIT_SECONDS}s",
            "--values=-",
        )
        self.run("helm", *arguments, stdin=yaml.safe_dump(dict(values)))

    def wait_until(self, what: str, is_so: Callable[[], bool]) -> float:
        """Wait until a condition is true, and return how many seconds that took. Fail when it takes too long."""
        began = time.monotonic()
        while not is_so():
            assert time.monotonic() < began + WAIT_SECONDS, f"not in {WAIT_SECONDS} s: {what}"
            time.sleep(0.3)
        return time.monotonic() - began


def bring_back(cluster: Cluster, node: dict[str, Any]) -> None:
    """Create a node with the same name, as the node group would under another one."""
    kept = {key: node["metadata"][key] for key in ("name", "labels", "annotations") if key in node["metadata"]}
    taints = [taint for taint in node["spec"].get("taints", []) if taint["key"].startswith("nvidia.com")]
    spec = {**{key: value for key, value in node["spec"].items() if key != "taints"}, "taints": taints}
    made = {"apiVersion": "v1", "kind": "Node", "metadata": kept, "spec": spec}
    cluster.kubectl("create", "--filename=-", stdin=json.dumps(made))
    status = {key: node["status"][key] for key in ("capacity", "allocatable", "nodeInfo", "addresses")}
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", "node", kept["name"], "--subresource=status", "--type=merge", f"--patch={patch}")


def find_cluster() -> Cluster:
    """Find the cluster of $KUBECONFIG or of the lab, and the tools.

    Raises:
        LabMissingError: A tool is missing, nothing answers, or the cluster is not one of fake nodes.
    """
    missing = [name for name in TOOLS if tool(name) is None]
    if missing:
        raise LabMissingError(f"make e2e needs {', '.join(missing)} on PATH or in $KUBE_LAB/bin.")
    lab = Path(os.environ.get("KUBE_LAB", Path.home() / ".cache" / "kube-lab"))
    kubeconfig = os.environ.get("KUBECONFIG") or str(lab / "kubeconfig")
    no_proxy = ",".join(filter(None, ["127.0.0.1", os.environ.get("NO_PROXY")]))
    cluster = Cluster({**os.environ, "KUBECONFIG": kubeconfig, "NO_PROXY": no_proxy, "no_proxy": no_proxy})
    try:
        nodes = cluster.get("nodes", "--request-timeout=5s")
    except (AssertionError, subprocess.TimeoutExpired):
        raise LabMissingError(
            f"make e2e needs a running lab cluster, and none answers at {kubeconfig}: start it, or set KUBECONFIG."
        ) from None
    # A run installs models and deletes namespaces, so never use a real cluster.
    if not all(is_fake(node) for node in nodes):
        raise LabMissingError(f"make e2e runs on fake nodes alone, and the cluster of {kubeconfig} has others.")
    return cluster


def is_fake(node: Mapping[str, Any]) -> bool:
    """Return whether KWOK manages this node: KWOK's default kubelet version is kwok-v..., and the lab's v...-fake."""
    version = node["status"].get("nodeInfo", {}).get("kubeletVersion", "")
    return version.startswith("kwok-") or version.endswith("-fake")
