"""Pods as targets, as Prometheus's own discovery of pods makes them.

The Prometheus of the lab is Debian's, which is built without `kubernetes_sd_configs`. So it asks here, by
`http_sd_configs`. tests/data/monitoring has what Prometheus 3.13.1 itself (discovery/kubernetes) made of real objects.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

META = "__meta_kubernetes_"


def target_groups(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the targets of a pod: one for each port of a container, or one for a container without ports."""
    address = pod["status"].get("podIP")
    if not address:
        return
    containers = [(one, False) for one in pod["spec"]["containers"]]
    containers += [(one, True) for one in pod["spec"].get("initContainers", [])]
    of_pod = _pod_labels(pod)
    for container, is_init in containers:
        key = "initContainerStatuses" if is_init else "containerStatuses"
        status = [one for one in pod["status"].get(key, []) if one["name"] == container["name"]]
        of_container = of_pod | {
            f"{META}pod_container_name": container["name"],
            f"{META}pod_container_id": status[0].get("containerID", "") if status else "",
            f"{META}pod_container_image": container["image"],
            f"{META}pod_container_init": str(is_init).lower(),
        }
        for port in container.get("ports", []):
            of_port = {
                f"{META}pod_container_port_name": port.get("name", ""),
                f"{META}pod_container_port_number": str(port["containerPort"]),
                f"{META}pod_container_port_protocol": port["protocol"],
            }
            yield {"targets": [f"{address}:{port['containerPort']}"], "labels": of_container | of_port}
        if not container.get("ports"):
            yield {"targets": [address], "labels": of_container}


def _pod_labels(pod: Mapping[str, Any]) -> dict[str, str]:
    metadata, spec, status = pod["metadata"], pod["spec"], pod["status"]
    ready = [one["status"] for one in status.get("conditions", []) if one["type"] == "Ready"]
    labels = {
        "namespace": metadata["namespace"],
        "pod_name": metadata["name"],
        "pod_uid": metadata["uid"],
        "pod_ip": status["podIP"],
        "pod_host_ip": status.get("hostIP", ""),
        "pod_phase": status["phase"],
        "pod_ready": (ready or ["unknown"])[0].lower(),
        "pod_node_name": spec.get("nodeName", ""),
    }
    for owner in metadata.get("ownerReferences", []):
        if owner.get("controller"):
            labels |= {"pod_controller_kind": owner["kind"], "pod_controller_name": owner["name"]}
    for what in ("label", "annotation"):
        for key, value in (metadata.get(f"{what}s") or {}).items():
            name = re.sub("[^a-zA-Z0-9_]", "_", key)
            labels |= {f"pod_{what}_{name}": value, f"pod_{what}present_{name}": "true"}
    return {f"{META}{name}": value for name, value in labels.items()}
