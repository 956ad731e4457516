"""Record the metrics of every exporter that rules and dashboards read.

    python -m tests.metric_lists.make_lists CLONES VLLM_METRICS

CLONES: a folder with bare clones of NVIDIA/dcgm-exporter, kubernetes/kube-state-metrics, prometheus/node_exporter and
prometheus/blackbox_exporter, each in owner+name/repo. VLLM_METRICS: a folder with
VERSION-busy.txt, the /metrics of a real vLLM with running and waiting requests.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

OUT = Path(__file__).parents[1] / "data" / "monitoring" / "metrics.json"
TAGS = {
    "NVIDIA+dcgm-exporter": "4.5.3-4.8.2",
    "kubernetes+kube-state-metrics": "v2.20.0",
    "prometheus+node_exporter": "v1.12.1",
    "prometheus+blackbox_exporter": "v0.28.0",
}
"""The versions in the pinned charts (vllm_eks/pins/charts.py): dcgm-exporter 4.8.2, kube-prometheus-stack 88.5.3 with
kube-state-metrics 8.4.0 and prometheus-node-exporter 4.56.1, prometheus-blackbox-exporter 11.17.2."""
OTHERS: Mapping[str, Mapping[str, list[str]]] = {
    # pkg/kubelet/metrics/collectors/volume_stats.go, of volumes with a claim.
    "kubelet 1.36": {
        f"kubelet_volume_stats_{what}_bytes": ["namespace", "persistentvolumeclaim"]
        for what in ("available", "capacity", "used")
    },
    # pkg/internal/controller/metrics/metrics.go of controller-runtime 0.24.1, which LeaderWorkerSet 0.10.0 requires.
    "LeaderWorkerSet 0.10.0": {
        "controller_runtime_reconcile_total": ["controller", "result"],
        "controller_runtime_reconcile_errors_total": ["controller"],
        "controller_runtime_active_workers": ["controller"],
        "controller_runtime_max_concurrent_reconciles": ["controller"],
    },
    # Prometheus itself, for every alert rule (documentation, "Alerting rules").
    "Prometheus": {"ALERTS": ["alertname", "alertstate", "severity", "stack", "model", "namespace"], "up": []},
}
SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? \S+$")
LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')

Metrics = Mapping[str, list[str]]
"""The labels of each metric."""


def of_text(text: str) -> Metrics:
    """Return the metrics of an exposition, without creation times."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in text.split("\n"):
        sample = SAMPLE.match(line)
        if sample and not sample["name"].endswith("_created"):
            found[sample["name"]].update(LABEL.findall(sample["labels"] or ""))
    return {name: sorted(labels) for name, labels in sorted(found.items())}


def of_dcgm(counters: str) -> Metrics:
    """Return the metrics of default-counters.csv. Labels: internal/pkg/rendermetrics and collector/gpu_collector.go."""
    rows = [[cell.strip() for cell in line.split(",")] for line in counters.splitlines() if line[:1] not in ("", "#")]
    texts = [name for name, kind, *_ in rows if kind == "label"]
    of_gpu = ["gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname", *texts]
    errors = {"DCGM_FI_DEV_XID_ERRORS": ["err_code", "err_msg"]}
    return {name: sorted([*of_gpu, *errors.get(name, [])]) for name, kind, *_ in sorted(rows) if kind != "label"}


def of_docs(pages: list[str]) -> Metrics:
    """Return the metrics of kube-state-metrics's own pages. Labels are in the last column that has any."""
    found: dict[str, list[str]] = {}
    for line in sorted(line for page in pages for line in page.splitlines() if line.startswith("| kube_")):
        cells = re.split(r"(?<!\\)\|", line)
        labels = [names for cell in cells if (names := re.findall(r"`([a-z_]+)`=", cell))]
        found[cells[1].strip()] = sorted(set(labels[-1])) if labels else []
    return found


def of_go(sources: str) -> Metrics:
    """Return the metrics that Go sources of the blackbox exporter name, with no labels but those that rules use."""
    return {name: [] for name in sorted(set(re.findall(r'"(probe_\w+)"', sources)))}


def main() -> None:
    """Write the lists."""
    clones, vllm = map(Path, sys.argv[1:])
    lists: dict[str, Metrics] = {
        f"vLLM {file.name.split('-')[0]}": {
            name: labels for name, labels in of_text(file.read_text()).items() if name.startswith("vllm:")
        }
        for file in sorted(vllm.glob("*-busy.txt"))
    }

    def show(repo: str, path: str) -> str:
        command = ["git", f"--git-dir={clones / repo / 'repo'}", "show", f"{TAGS[repo]}:{path}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    dcgm, state, node, blackbox = TAGS
    lists[f"DCGM exporter {TAGS[dcgm]}"] = of_dcgm(show(dcgm, "etc/default-counters.csv"))
    docs = "/".join(("docs", "metrics"))
    pages = ("workload/statefulset", "workload/pod", "cluster/node")
    lists[f"kube-state-metrics {TAGS[state]}"] = of_docs([show(state, f"{docs}/{p}-metrics.md") for p in pages])
    lists[f"node exporter {TAGS[node]}"] = {
        name: labels
        for name, labels in of_text(show(node, "collector/fixtures/e2e-output.txt")).items()
        if re.match("node_(dmi|infiniband|memory_Mem|load|time|boot)", name)
    }
    sources = "".join(show(blackbox, f"prober/{name}.go") for name in ("handler", "http", "prober"))
    lists[f"blackbox exporter {TAGS[blackbox]}"] = of_go(sources)
    lists |= OTHERS
    OUT.parent.mkdir(parents=True, exist_ok=True)
    texts = {one: {name: " ".join(labels) for name, labels in metrics.items()} for one, metrics in lists.items()}
    OUT.write_text(json.dumps(texts, indent=1, sort_keys=True) + "\n")
    print({name: len(metrics) for name, metrics in lists.items()})


if __name__ == "__main__":
    main()
