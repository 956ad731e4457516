"""Records what the Prometheus operator makes of the stack's monitors, for the guide's models.

    python -m tests.operator_config.record OPERATOR CRDS

OPERATOR: the operator's program, built from github.com/prometheus-operator/prometheus-operator/cmd/operator at the
version of the pinned chart (vllm_eks/pins/charts.py). CRDS: `example/prometheus-operator-crd` of the same version. It
needs the lab's cluster (tests/e2e/lab_cluster.py), which gets the CRDs for as long as this runs. The Prometheus is the
one that the chart renders with the stack's values (tests/data/monitoring_charts.json).
"""

import base64
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.observability.names import RELEASE
from tests.e2e.lab_cluster import Cluster, find_cluster
from tests.support.guide_models import record_guide_models
from tests.support.monitoring import CHARTS, RENDERS
from vllm_eks.preview.recording import Recording
from vllm_eks.specs.observability import MONITORING_NAMESPACE

CONFIG = Path(__file__).parents[1] / "data" / "monitoring" / "operator_config.json"
KINDS = ("PodMonitor", "ServiceMonitor", "Probe")
API = "monitoring.coreos.com/v1"
SECRET, KEY = f"prometheus-{RELEASE}", "prometheus.yaml.gz"
"""Where the operator writes the configuration (prometheus-operator 0.93.1, pkg/prometheus)."""


def registered_monitors(recording: Recording) -> dict[str, Mapping[str, Any]]:
    """Return the specs of all monitors that the program registers, by kind and name."""
    return {
        f"{kind} {one.inputs['metadata']['name']}": one.inputs["spec"]
        for kind in KINDS
        for one in recording.of_type(f"kubernetes:{API}:{kind}")
    }


def rendered_prometheus() -> Mapping[str, Any]:
    """Return the spec of the Prometheus that the chart renders."""
    return RENDERS["installed"]["custom"][f"Prometheus {RELEASE}"]


def main(operator: str, crds: str) -> None:
    """Write the operator's configuration of Prometheus, and what it was made of."""
    cluster = find_cluster()
    with tempfile.TemporaryDirectory() as folder:
        monitors = registered_monitors(record_guide_models(Path(folder), observability={"prometheus": "install"}))
    cluster.make_namespace(MONITORING_NAMESPACE, {})
    cluster.kubectl("apply", "--server-side", f"--filename={crds}")
    cluster.kubectl("wait", "--for=condition=Established", f"--filename={crds}")
    process = subprocess.Popen([operator, "--web.listen-address=127.0.0.1:0"], env=dict(cluster.environment))
    try:
        objects = {**monitors, f"Prometheus {RELEASE}": rendered_prometheus()}
        cluster.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(map(_object, objects, objects.values())))
        jobs: list[str] = []

        def is_complete() -> bool:
            jobs[:] = [job["job_name"] for job in _config(cluster).get("scrape_configs", [])]
            return len(jobs) == len(monitors)

        cluster.wait_until("the operator has written a job for each monitor", is_complete)
        config = _config(cluster)
        pod = cluster.get("statefulset", SECRET, f"--namespace={MONITORING_NAMESPACE}")["spec"]["template"]
    finally:
        process.terminate()
        process.wait(timeout=30)
        cluster.kubectl("delete", f"--filename={crds}")
        cluster.delete_namespaces()
    facts = {
        "what": "The configuration that the Prometheus operator makes of the monitors of the guide's models",
        "source": "prometheus-operator/prometheus-operator v0.93.1 (51cc33a), cmd/operator, with its CRDs and "
        "on Kubernetes 1.36.3",
        "seen": CHARTS["seen"],
        "monitors": monitors,
        "prometheus": rendered_prometheus(),
        "pod_labels": pod["metadata"]["labels"],
        "config": config,
    }
    CONFIG.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _object(named: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    kind, name = named.split()
    metadata = {"name": name, "namespace": MONITORING_NAMESPACE}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}


def _config(cluster: Cluster) -> dict[str, Any]:
    found = cluster.kubectl(
        *("get", "secret", SECRET, f"--namespace={MONITORING_NAMESPACE}", "--ignore-not-found", "--output=json")
    )
    if not found:
        return {}
    return yaml.safe_load(gzip.decompress(base64.b64decode(json.loads(found)["data"][KEY])))


if __name__ == "__main__":
    main(*sys.argv[1:])
