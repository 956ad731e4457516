"""The taint of GPU nodes, and its toleration.

Every DaemonSet that GPU nodes need must tolerate it. Without its device plugin a node has no GPUs, and without the DCGM
host engine every GPU node is reported as broken.
"""

import json
from typing import TypedDict

GPU_TAINT_KEY = "nvidia.com/gpu"
"""The only key that EKS and the NVIDIA device plugin's chart tolerate automatically."""


class Toleration(TypedDict):
    """As in a pod spec."""

    key: str
    operator: str
    effect: str


GPU_TOLERATION: Toleration = {"key": GPU_TAINT_KEY, "operator": "Exists", "effect": "NoSchedule"}

ADDON_CONFIGURATION = {
    # The agent tolerates all taints by default, but its DCGM host engine tolerates none. Without an answer for a
    # minute, the agent reports DCGMError, a condition that triggers node repair, and no GPU error is ever detected.
    "eks-node-monitoring-agent": json.dumps({"dcgmAgent": {"tolerations": [GPU_TOLERATION]}}),
}
"""EKS add-on -> its configuration values, if its defaults do not tolerate the taint."""
