"""The user data of a GPU node, which runs at its first boot."""

import base64
import json

MEMLOCK_LIMIT_BYTES = 2**43
"""8 TiB, more than any node has. Not "unlimited" (2**64 - 1), because nodeadm reads numbers as floats, which cannot
represent it."""

OPEN_FILES_LIMITS = (65536, 1048576)
"""Soft and hard limits, as in the EKS AMI's own runtime specification. Setting one limit replaces them all."""

_BOUNDARY = "vllm-eks-node-config"


WEIGHTS_FOLDER_UNIT = """\
#!/bin/bash
# The local disks are mounted, and the kubelet started, by nodeadm-run, which itself waits for scripts such as this one.
cat > /etc/systemd/system/vllm-eks-weights.service <<'END'
[Unit]
Description=Folder for model weights that outlive their pods
After=nodeadm-run.service
[Service]
Type=oneshot
ExecStart=/usr/bin/mountpoint --quiet {mount}
ExecStart=/usr/bin/mkdir --parents {folder}
END
systemctl daemon-reload
systemctl start --no-block vllm-eks-weights.service
"""
"""Not created on the root disk if the mount is missing, because a model's weights would fill it."""
LOCAL_DISKS = "/mnt/k8s-disks/0"
"""Where nodeadm mounts the RAID0 of the node's local disks."""

NODE_WEIGHTS_FOLDER = f"{LOCAL_DISKS}/vllm-eks-weights"
"""On the local NVMe of a GPU node, created by its user data. Its content outlives pods, but not the instance."""


def node_user_data(*, has_local_nvme: bool, efa: bool, weights_folder: str | None = None) -> str | None:
    """Return the launch template's user data in base64, or None if the AMI's defaults are enough.

    It is a NodeConfig for nodeadm in a MIME envelope. EKS adds the part for the cluster.

    Args:
        has_local_nvme: Put images, logs and pods' scratch space on the node's local disks, as one RAID0. Otherwise
            they share the root volume, and a model's weights evict the pod.
        efa: Let containers lock the memory that EFA registers with its device.
        weights_folder: A folder to create on the node's local disks. Only with `has_local_nvme`.
    """
    spec: dict[str, object] = {}
    if has_local_nvme:
        spec["instance"] = {"localStorage": {"strategy": "RAID0"}}
        # Layers are downloaded and unpacked in parallel, which needs disks faster than the root volume.
        spec["featureGates"] = {"FastImagePull": True}
    if efa:
        spec["containerd"] = {"baseRuntimeSpec": {"process": {"rlimits": _efa_limits()}}}
    if not spec:
        return None
    config = {"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": spec}
    parts = [("application/node.eks.aws", json.dumps(config, indent=2))]
    if weights_folder and has_local_nvme:
        script = WEIGHTS_FOLDER_UNIT.format(mount=LOCAL_DISKS, folder=weights_folder)
        parts.append(("text/x-shellscript", script))
    return base64.b64encode(_in_mime_envelope(parts).encode()).decode()


def _efa_limits() -> list[dict[str, object]]:
    soft_files, hard_files = OPEN_FILES_LIMITS
    return [
        {"type": "RLIMIT_MEMLOCK", "soft": MEMLOCK_LIMIT_BYTES, "hard": MEMLOCK_LIMIT_BYTES},
        {"type": "RLIMIT_NOFILE", "soft": soft_files, "hard": hard_files},
    ]


def _in_mime_envelope(parts: list[tuple[str, str]]) -> str:
    """Return the parts, each with its content type, as one MIME message."""
    lines = ["MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{_BOUNDARY}"', ""]
    for content_type, content in parts:
        lines += [f"--{_BOUNDARY}", f"Content-Type: {content_type}", "", content]
    return "\n".join([*lines, f"--{_BOUNDARY}--", ""])
