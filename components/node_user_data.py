"""What a GPU node is told at its first boot."""

import base64
import json

MEMLOCK_LIMIT_BYTES = 2**43
"""8 TiB, more than any node has. Not "unlimited" (2**64 - 1): nodeadm reads numbers as floats, which cannot hold it."""

OPEN_FILES_LIMITS = (65536, 1048576)
"""Soft and hard, as the EKS image's own runtime specification has them: naming one limit replaces them all."""

_BOUNDARY = "vllm-eks-node-config"


def node_user_data(*, has_local_nvme: bool, efa: bool) -> str | None:
    """Return the launch template's user data, base64, or None when the image's defaults will do.

    It is a NodeConfig for nodeadm in a MIME envelope; EKS adds the part about the cluster.

    Args:
        has_local_nvme: Put images, logs and pods' scratch space on the node's own disks, as one RAID0. Without it
            they share the root volume, and a model's weights evict the pod.
        efa: Let containers lock the memory that EFA registers with its device.
    """
    spec: dict[str, object] = {}
    if has_local_nvme:
        spec["instance"] = {"localStorage": {"strategy": "RAID0"}}
    if efa:
        spec["containerd"] = {"baseRuntimeSpec": {"process": {"rlimits": _efa_limits()}}}
    if not spec:
        return None
    config = {"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": spec}
    return base64.b64encode(_in_mime_envelope(json.dumps(config, indent=2)).encode()).decode()


def _efa_limits() -> list[dict[str, object]]:
    soft_files, hard_files = OPEN_FILES_LIMITS
    return [
        {"type": "RLIMIT_MEMLOCK", "soft": MEMLOCK_LIMIT_BYTES, "hard": MEMLOCK_LIMIT_BYTES},
        {"type": "RLIMIT_NOFILE", "soft": soft_files, "hard": hard_files},
    ]


def _in_mime_envelope(node_config: str) -> str:
    return "\n".join(
        [
            "MIME-Version: 1.0",
            f'Content-Type: multipart/mixed; boundary="{_BOUNDARY}"',
            "",
            f"--{_BOUNDARY}",
            "Content-Type: application/node.eks.aws",
            "",
            node_config,
            f"--{_BOUNDARY}--",
            "",
        ]
    )
