"""The pins of a stack: what this release fixes, what the stack file sets in its place, and what AWS offers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.controllers.chart_sources import (
    EFA_DEVICE_PLUGIN,
    LEADER_WORKER_SET,
    NVIDIA_DEVICE_PLUGIN,
    ChartSource,
)
from config.pins import ADDON_VERSIONS, COPY_IMAGE, DEFAULT_KUBERNETES_VERSION, NODE_RELEASE_VERSION
from config.settings.stack import ChartOverride, StackSettings
from vllm_eks.planner.engine.images import DEFAULT_IMAGE, DEFAULT_VLLM_VERSION, READINESS_IMAGE

KUBERNETES = "cluster.kubernetesVersion"
NODE_RELEASE = "cluster.nodeReleaseVersion"
ADDONS = "cluster.addonVersions"


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One version that does not move by itself."""

    key: str
    """Of the stack file."""
    released: str | None
    """What this release of vllm-eks fixes; None: nothing that fits the stack's Kubernetes version."""
    in_stack: str | None = None
    """What the stack file sets."""
    offered: str | None = None
    """The newest that fits; None: not known."""
    remark: str = ""
    """Why nothing is known to be offered, or what to know of it."""

    @property
    def used(self) -> str | None:
        """What the stack runs with."""
        return self.in_stack or self.released

    @property
    def moves(self) -> bool:
        """Whether there is something newer to move to."""
        return self.offered is not None and numbers(self.offered) > numbers(self.used or "")


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers in order, so that v1.10.0-eksbuild.2 is above v1.9.3-eksbuild.11.

    >>> numbers("v1.10.0-eksbuild.2") > numbers("v1.9.3-eksbuild.11")
    True
    """
    return tuple(int(digits) for digits in re.findall(r"\d+", version))


def cluster_pins(settings: StackSettings, kubernetes_version: str) -> Iterator[Pin]:
    """Yield the pins that AWS can be asked about: control plane, AMI release and, in a new cluster, add-ons.

    Args:
        settings: The stack's.
        kubernetes_version: What the set is for: an AMI release and add-ons fit one minor version.
    """
    cluster = settings.cluster
    given = cluster.model_fields_set
    is_default = kubernetes_version == DEFAULT_KUBERNETES_VERSION
    yield Pin(
        key=KUBERNETES,
        released=DEFAULT_KUBERNETES_VERSION,
        in_stack=cluster.kubernetes_version if "kubernetes_version" in given else None,
    )
    yield Pin(
        key=NODE_RELEASE,
        released=NODE_RELEASE_VERSION if is_default else None,
        in_stack=cluster.node_release_override,
    )
    if cluster.existing:
        return
    for addon, version in ADDON_VERSIONS.items():
        yield Pin(
            key=f"{ADDONS}.{addon}",
            released=version if is_default else None,
            in_stack=cluster.addon_overrides.get(addon),
        )


def other_pins(settings: StackSettings) -> Iterator[Pin]:
    """Yield the pins of charts and images, which no AWS account knows: each says how to look."""
    sources: Mapping[str, tuple[ChartSource, ChartOverride]] = {
        "nvidiaDevicePlugin": (NVIDIA_DEVICE_PLUGIN, settings.charts.nvidia_device_plugin),
        "efaDevicePlugin": (EFA_DEVICE_PLUGIN, settings.charts.efa_device_plugin),
        "leaderWorkerSet": (LEADER_WORKER_SET, settings.charts.leader_worker_set),
    }
    for name, (source, override) in sources.items():
        yield Pin(
            key=f"charts.{name}.version",
            released=source.version,
            in_stack=override.version,
            remark=_where_to_look(source),
        )
    yield from _images(settings)


def _images(settings: StackSettings) -> Iterator[Pin]:
    look = "look: the tags in its registry"
    images, given = settings.images, settings.images.model_fields_set
    for key, field, released in (
        ("vllm", "vllm", f"{DEFAULT_IMAGE} (vLLM {DEFAULT_VLLM_VERSION})"),
        ("hook", "hook", READINESS_IMAGE),
        ("weightsCopy", "weights_copy", COPY_IMAGE),
    ):
        own = getattr(images, field) if field in given else None
        yield Pin(key=f"images.{key}", released=released, in_stack=own, remark=look)
    for name, model in sorted(settings.models.items()):
        if model.own_image:
            yield Pin(key=f"models.{name}.image", released=None, in_stack=model.own_image, remark=look)


def _where_to_look(source: ChartSource) -> str:
    if source.repository:
        return f"look: helm show chart {source.chart} --repo {source.repository}"
    return f"look: helm show chart {source.chart}"
