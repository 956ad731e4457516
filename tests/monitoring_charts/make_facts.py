"""Renders the charts for metrics with the stack's values, and writes what tests need to know of the result.

    python -m tests.monitoring_charts.make_facts kube-prometheus-stack=FOLDER dcgm-exporter=FOLDER \
        prometheus-blackbox-exporter=FOLDER

Each folder is an unpacked chart at the pinned version, with its dependencies in `charts/` (without the one for Windows,
which is off). It needs `helm`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from components.observability.exporter_values import blackbox_values, dcgm_values
from components.observability.prometheus_values import agent_values, installed_values
from vllm_eks.pins.charts import BLACKBOX_EXPORTER, DCGM_EXPORTER, KUBE_PROMETHEUS_STACK
from vllm_eks.specs.observability import MONITORING_NAMESPACE, InstalledPrometheus

FACTS = Path(__file__).parents[1] / "data" / "monitoring_charts.json"
KUBERNETES = "1.36.0"
ENDPOINT = "https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
INSTALLED = InstalledPrometheus(alertmanager_config_secret="receivers")
RENDERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "installed": (
        KUBE_PROMETHEUS_STACK.chart,
        installed_values(INSTALLED, cluster_name="main", storage_class="gp3", registry="registry.example.com/mirror"),
    ),
    "agent": (
        KUBE_PROMETHEUS_STACK.chart,
        agent_values(cluster_name="main", region="us-west-2", remote_write_url=ENDPOINT, registry=None),
    ),
    "dcgm": (DCGM_EXPORTER.chart, dcgm_values(host_engine=True, image=None)),
    "dcgm of an existing cluster": (
        DCGM_EXPORTER.chart,
        dcgm_values(host_engine=False, image="registry.example.com/dcgm-exporter@sha256:0f1e"),
    ),
    "blackbox": (BLACKBOX_EXPORTER.chart, blackbox_values("registry.example.com/mirror")),
}
"""Name -> the chart, which is also the release's name, and its values."""


def facts_of(chart: Path, release: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tests need to know of a rendered chart."""
    command = ["helm", "template", release, str(chart), "--namespace", MONITORING_NAMESPACE]
    command += ["--kube-version", KUBERNETES, "--values", "-"]
    made = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=True)
    objects = [one for one in yaml.safe_load_all(made.stdout) if one]
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    return {
        "chart": f"{about['name']} {about['version']}",
        "values": values,
        "objects": sorted(f"{one['kind']} {one['metadata']['name']}" for one in objects),
        "pods": {f"{one['kind']} {one['metadata']['name']}": _pod(one) for one in objects if "template" in _spec(one)},
        "services": {
            one["metadata"]["name"]: {"selector": one["spec"]["selector"], "ports": one["spec"]["ports"]}
            for one in objects
            if one["kind"] == "Service"
        },
        "custom": {
            f"{one['kind']} {one['metadata']['name']}": one["spec"]
            for one in objects
            if one["kind"] in ("Prometheus", "PrometheusAgent", "Alertmanager", "ServiceMonitor")
        },
        "reads_secrets": sorted(_reads_secrets(objects)),
        "config_maps": {
            one["metadata"]["name"]: one["data"]
            for one in objects
            if one["kind"] == "ConfigMap" and "exporter" in one["metadata"]["name"]
        },
    }


def _spec(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return one.get("spec") or {}


def _pod(one: Mapping[str, Any]) -> dict[str, Any]:
    template = one["spec"]["template"]
    spec = template["spec"]
    return {
        "replicas": one["spec"].get("replicas", 1),
        "labels": template["metadata"]["labels"],
        "tolerations": spec.get("tolerations") or [],
        "affinity": spec.get("affinity") or {},
        "host_network": bool(spec.get("hostNetwork")),
        "containers": {
            container["name"]: {
                key: container.get(key) or ([] if key in ("args", "env", "ports") else {})
                for key in ("image", "args", "env", "ports", "resources", "securityContext")
            }
            for container in spec["containers"]
        },
    }


def _reads_secrets(objects: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in objects:
        if one["kind"] in ("ClusterRole", "Role"):
            for rule in one["rules"]:
                if "secrets" in rule.get("resources", ()) and not rule.get("resourceNames"):
                    yield f"{one['kind']} {one['metadata']['name']}"


def main(folders: Mapping[str, Path]) -> None:
    """Write the facts of all renders."""
    renders = {name: facts_of(folders[chart], chart, values) for name, (chart, values) in RENDERS.items()}
    facts = {
        "what": "Charts for metrics, rendered with the stack's own values for Kubernetes " + KUBERNETES,
        "seen": "2026-11-27",
        "sources": {
            "kube-prometheus-stack": "prometheus-community/helm-charts cf408a2, with grafana 12.11.1 of "
            "grafana-community/helm-charts 3386a11",
            "prometheus-blackbox-exporter": "prometheus-community/helm-charts cf408a2",
            "dcgm-exporter": "NVIDIA/dcgm-exporter d5e5f51, deployment",
        },
        "renders": renders,
    }
    FACTS.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main({name: Path(folder) for name, folder in (one.split("=", 1) for one in sys.argv[1:])})
