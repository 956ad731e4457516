"""The pins of a stack: the release's version, the stack file's version, and the newest in AWS."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vllm_eks.json_values import is_object, object_or_empty
from vllm_eks.pins.charts import (
    AWS_LOAD_BALANCER_CONTROLLER,
    BLACKBOX_EXPORTER,
    DCGM_EXPORTER,
    EFA_DEVICE_PLUGIN,
    FLUENT_BIT,
    KUBE_PROMETHEUS_STACK,
    LEADER_WORKER_SET,
    NVIDIA_DEVICE_PLUGIN,
    ChartSource,
)
from vllm_eks.pins.eks import (
    ADDON_VERSIONS,
    COPY_IMAGE,
    DEFAULT_KUBERNETES_VERSION,
    EBS_CSI_DRIVER,
    NODE_RELEASE_VERSION,
)
from vllm_eks.planner.engine.images import DEFAULT_IMAGE, DEFAULT_VLLM_VERSION, READINESS_IMAGE
from vllm_eks.stack_files.stack_file import StackFile

KUBERNETES = "cluster.kubernetesVersion"
NODE_RELEASE = "cluster.nodeReleaseVersion"
ADDONS = "cluster.addonVersions"


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A pinned version."""

    key: str
    """In the stack file."""
    released: str | None
    """The version that this release of vllm-eks pins, or None if none is compatible with the stack's Kubernetes
    version."""
    in_stack: str | None = None
    """The version in the stack file."""
    offered: str | None = None
    """The newest compatible version, or None if unknown."""
    remark: str = ""
    """Why the newest version is unknown, or a note about it."""

    @property
    def used(self) -> str | None:
        """The version that the stack uses."""
        return self.in_stack or self.released

    @property
    def moves(self) -> bool:
        """Whether a newer version is available."""
        return self.offered is not None and numbers(self.offered) > numbers(self.used or "")


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers in order, so that v1.10.0-eksbuild.2 is above v1.9.3-eksbuild.11.

    >>> numbers("v1.10.0-eksbuild.2") > numbers("v1.9.3-eksbuild.11")
    True
    """
    return tuple(int(digits) for digits in re.findall(r"\d+", version))


def stated(file: StackFile, key: str) -> object:
    """Return the stack file's value at a key below the project's name, such as cluster.kubernetesVersion, or None."""
    section, *steps = key.split(".")
    value: object = json.loads(file.config.get(f"{file.project}:{section}") or "{}")
    for step in steps:
        value = value.get(step) if is_object(value) else None
    return value


def _text(file: StackFile, key: str) -> str | None:
    value = stated(file, key)
    return value if isinstance(value, str) else None


def cluster_pins(file: StackFile, kubernetes_version: str) -> Iterator[Pin]:
    """Yield the pins that AWS can be queried about: control plane, AMI release and, in a new cluster, add-ons.

    Args:
        file: The checked stack file.
        kubernetes_version: The version for the whole set, because an AMI release and add-ons fit one minor version.
    """
    is_default = kubernetes_version == DEFAULT_KUBERNETES_VERSION
    yield Pin(key=KUBERNETES, released=DEFAULT_KUBERNETES_VERSION, in_stack=_text(file, KUBERNETES))
    yield Pin(
        key=NODE_RELEASE,
        released=NODE_RELEASE_VERSION if is_default else None,
        in_stack=_text(file, NODE_RELEASE),
    )
    if stated(file, "cluster.existing"):
        return
    needs_volumes = stated(file, "observability.prometheus") == "install"
    for addon, version in ADDON_VERSIONS.items():
        if addon == EBS_CSI_DRIVER and not (needs_volumes or _text(file, f"{ADDONS}.{addon}")):
            continue
        yield Pin(
            key=f"{ADDONS}.{addon}",
            released=version if is_default else None,
            in_stack=_text(file, f"{ADDONS}.{addon}"),
        )


def other_pins(file: StackFile) -> Iterator[Pin]:
    """Yield the pins of charts and images, which AWS does not list. Each has a command to look them up."""
    sources: dict[str, ChartSource] = {
        "nvidiaDevicePlugin": NVIDIA_DEVICE_PLUGIN,
        "efaDevicePlugin": EFA_DEVICE_PLUGIN,
        "leaderWorkerSet": LEADER_WORKER_SET,
        **_monitoring_charts(file),
    }
    if stated(file, "endpoint"):
        sources |= {"awsLoadBalancerController": AWS_LOAD_BALANCER_CONTROLLER}
    if stated(file, "observability.logs"):
        sources |= {"fluentBit": FLUENT_BIT}
    for name, source in sources.items():
        key = f"charts.{name}.version"
        yield Pin(key=key, released=source.version, in_stack=_text(file, key), remark=_where_to_look(source))
    yield from _images(file)


def _monitoring_charts(file: StackFile) -> Mapping[str, ChartSource]:
    """Return the charts for metrics that the stack may install."""
    prometheus = stated(file, "observability.prometheus")
    if prometheus is None:
        return {}
    own = {} if prometheus == "existing" else {"kubePrometheusStack": KUBE_PROMETHEUS_STACK}
    return {**own, "dcgmExporter": DCGM_EXPORTER, "blackboxExporter": BLACKBOX_EXPORTER}


def _images(file: StackFile) -> Iterator[Pin]:
    look = "look: the tags in its registry"
    for name, released in (
        ("vllm", f"{DEFAULT_IMAGE} (vLLM {DEFAULT_VLLM_VERSION})"),
        ("hook", READINESS_IMAGE),
        ("weightsCopy", COPY_IMAGE),
    ):
        yield Pin(key=f"images.{name}", released=released, in_stack=_text(file, f"images.{name}"), remark=look)
    for name, model in sorted(object_or_empty(stated(file, "models")).items()):
        image = object_or_empty(model).get("image")
        if isinstance(image, str) and image:
            yield Pin(key=f"models.{name}.image", released=None, in_stack=image, remark=look)


def _where_to_look(source: ChartSource) -> str:
    if source.repository:
        return f"look: helm show chart {source.chart} --repo {source.repository}"
    return f"look: helm show chart {source.chart}"
