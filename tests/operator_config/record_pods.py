"""Records pods of the lab, and what Prometheus's own discovery makes of them.

    python -m tests.operator_config.record_pods DISCOVER

DISCOVER: the program of discover.go. Run it while tests/e2e/test_monitors.py runs, because that makes the pods.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.lab_cluster import find_cluster
from tests.support.guide_models import FULL, QUANTIZED

PODS = Path(__file__).parents[1] / "data" / "monitoring" / "discovered_pods.json"
NAMESPACES = (f"vllm-{QUANTIZED}", f"vllm-{FULL}")
KEPT: Mapping[str, tuple[str, ...]] = {
    "metadata": ("name", "namespace", "uid", "labels", "annotations", "ownerReferences"),
    "spec": ("nodeName", "containers", "initContainers"),
    "status": ("podIP", "hostIP", "phase", "conditions", "containerStatuses", "initContainerStatuses"),
}
IN_LISTS = ("type", "status", "kind", "controller", "name", "image", "ports", "containerID")
"""What is kept of owners, containers, conditions and statuses."""
LONG = "last-applied-configuration"
"""The end of an annotation of kubectl."""


def main(discover: str) -> None:
    """Write the pods and their targets."""
    cluster = find_cluster()
    kubeconfig = cluster.environment["KUBECONFIG"]
    done = subprocess.run([discover, kubeconfig, *NAMESPACES], capture_output=True, text=True, check=True)
    groups = json.loads(done.stdout)
    pods = [_kept(pod) for name in NAMESPACES for pod in cluster.get("pods", f"--namespace={name}")]
    assert pods, "tests/e2e/test_monitors.py does not run"
    targets = {name: _targets(groups[f"pod/{name}"]) for name in map(name_of, pods)}
    facts = {
        "what": "Pods, and what Prometheus makes of them as targets",
        "source": "prometheus/prometheus v3.13.1, discovery/kubernetes, role pod, on Kubernetes 1.36.3, "
        "with pods of LeaderWorkerSet 0.9.0",
        "seen": "2026-11-27",
        "pods": pods,
        "targets": targets,
    }
    PODS.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def name_of(pod: Mapping[str, Any]) -> str:
    """Return the pod's namespace and name."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _kept(pod: Mapping[str, Any]) -> dict[str, Any]:
    kept = {part: {key: pod[part][key] for key in keys if key in pod[part]} for part, keys in KEPT.items()}
    for part in kept.values():
        for key, value in part.items():
            if isinstance(value, list):
                part[key] = [{name: one[name] for name in IN_LISTS if name in one} for one in value]
    notes = kept["metadata"].get("annotations", {})
    kept["metadata"]["annotations"] = {key: value for key, value in notes.items() if not key.endswith(LONG)}
    return kept


def _targets(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for target in group["targets"]:
        labels = {key: value for key, value in (group["labels"] | target).items() if LONG.replace("-", "_") not in key}
        found.append({"targets": [labels.pop("__address__")], "labels": labels})
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
