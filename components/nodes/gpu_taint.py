"""The taint of GPU nodes, and what tolerates it.

Every DaemonSet that GPU nodes need must tolerate it: a device plugin that does not leaves nodes without GPUs, and a
missing DCGM host engine has every GPU node reported as broken.
"""

import json
from typing import TypedDict

GPU_TAINT_KEY = "nvidia.com/gpu"
"""The one key EKS makes GPU pods tolerate by itself, and the NVIDIA device plugin's chart too."""


class Toleration(TypedDict):
    """As a pod spells it."""

    key: str
    operator: str
    effect: str


GPU_TOLERATION: Toleration = {"key": GPU_TAINT_KEY, "operator": "Exists", "effect": "NoSchedule"}

ADDON_CONFIGURATION = {
    # The agent tolerates everything by itself, the DCGM host engine that it asks nothing. Unanswered for a minute, it
    # reports DCGMError, a condition that node repair acts on, and no GPU error ever reaches it.
    "eks-node-monitoring-agent": json.dumps({"dcgmAgent": {"tolerations": [GPU_TOLERATION]}}),
}
"""EKS add-on -> its configuration values, where its own do not tolerate the taint."""
