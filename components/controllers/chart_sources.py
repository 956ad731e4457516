"""Where third-party Helm charts come from: their publishers, or the stack's own mirror."""

from collections.abc import Callable, Mapping
from typing import Any

from vllm_eks.pins.charts import EFA_DEVICE_PLUGIN, LEADER_WORKER_SET, NVIDIA_DEVICE_PLUGIN, ChartSource

RELEASE_HISTORY = 5
"""Revisions of a release that Helm keeps, each a Secret of up to 100 KB; without a limit it keeps all."""


def mirrored(overrides: Mapping[str, Callable[..., Mapping[str, Any] | None]]) -> dict[str, ChartSource | None]:
    """Return where each chart comes from, given each one's override; None: it is there already."""
    sources = {
        "nvidia_device_plugin": NVIDIA_DEVICE_PLUGIN,
        "leader_worker_set": LEADER_WORKER_SET,
        "efa_device_plugin": EFA_DEVICE_PLUGIN,
    }
    return {name: source.mirrored(overrides[name]) for name, source in sources.items()}
