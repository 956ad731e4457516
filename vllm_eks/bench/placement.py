"""On which nodes the client of a benchmark runs: on one without GPUs if its disk holds the image, or else beside the
model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vllm_eks.json_values import list_or_empty, object_or_empty
from vllm_eks.planner.search.fit import UNPACKED_IMAGE_GB

HOSTNAME, INSTANCE_TYPE, ZONE = (
    "kubernetes.io/hostname",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
)
GPU = "nvidia.com/gpu"
OTHER_IMAGES_GB = 8.0
"""What a node's disk also holds: the system, and the images of the cluster's own pods."""
MEMORY_GB = 4.0
"""The memory limit of the client (manifests.py)."""
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The nodes that the client may use."""

    labels: Mapping[str, tuple[str, ...]]
    """Each label of a node, with the values that are allowed."""
    beside_the_model: bool
    """Whether these are the model's own nodes. The client then shares CPUs with the engine."""


def place(nodes: Sequence[Mapping[str, object]], *, instance_type: str, zones: Sequence[str]) -> Placement:
    """Return the nodes for the client.

    Args:
        nodes: All nodes of the cluster.
        instance_type: The type of the model's nodes, which have the image and room for the client.
        zones: The zones of the model's nodes.
    """
    hosts = [_labels(node).get(HOSTNAME, "") for node in nodes if _takes_the_client(node)]
    if hosts:
        return Placement(labels={HOSTNAME: tuple(sorted(hosts))}, beside_the_model=False)
    return Placement(labels={INSTANCE_TYPE: (instance_type,), ZONE: tuple(zones)}, beside_the_model=True)


def _takes_the_client(node: Mapping[str, object]) -> bool:
    """Return whether a node without GPUs is free for all pods, and has the memory and the disk for the image."""
    status, spec = object_or_empty(node.get("status")), object_or_empty(node.get("spec"))
    conditions = [object_or_empty(one) for one in list_or_empty(status.get("conditions"))]
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    closed = spec.get("unschedulable") is True or any(
        object_or_empty(taint).get("effect") in ("NoSchedule", "NoExecute")
        for taint in list_or_empty(spec.get("taints"))
    )
    free = object_or_empty(status.get("allocatable"))
    return (
        ready
        and not closed
        and GPU not in free
        and _labels(node).get("kubernetes.io/os") == "linux"
        and _labels(node).get("kubernetes.io/arch") == "amd64"
        and _gigabytes(free.get("memory")) >= MEMORY_GB
        and _gigabytes(free.get("ephemeral-storage")) >= UNPACKED_IMAGE_GB + OTHER_IMAGES_GB
    )


def _labels(node: Mapping[str, object]) -> dict[str, str]:
    labels = object_or_empty(object_or_empty(node.get("metadata")).get("labels"))
    return {key: str(value) for key, value in labels.items()}


def _gigabytes(quantity: object) -> float:
    """Return a Kubernetes quantity of bytes in GB, or 0 if it is none.

    >>> _gigabytes("47233297124"), _gigabytes("7Gi"), _gigabytes(None)
    (47.233297124, 7.516192768, 0.0)
    """
    text = str(quantity)
    unit = next((unit for unit in UNITS if text.endswith(unit)), "")
    try:
        return float(text.removesuffix(unit)) * UNITS.get(unit, 1) / 1e9
    except ValueError:
        return 0.0
