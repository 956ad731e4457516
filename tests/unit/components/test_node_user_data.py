import base64
import json
import subprocess
from email import message_from_bytes
from pathlib import Path

import pytest

from components.nodes.user_data import node_user_data


def node_config(*, has_local_nvme: bool, efa: bool) -> dict:
    """Return the NodeConfig as parsed by a MIME parser."""
    user_data = node_user_data(has_local_nvme=has_local_nvme, efa=efa)
    assert user_data is not None
    envelope, part = message_from_bytes(base64.b64decode(user_data)).walk()
    assert envelope.get_content_type() == "multipart/mixed"
    assert part.get_content_type() == "application/node.eks.aws"
    return json.loads(str(part.get_payload()))


def test_local_disks_become_one_raid0() -> None:
    assert node_config(has_local_nvme=True, efa=False) == {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {"instance": {"localStorage": {"strategy": "RAID0"}}, "featureGates": {"FastImagePull": True}},
    }


def test_efa_lets_containers_lock_memory_and_keeps_the_image_s_file_limits() -> None:
    assert node_config(has_local_nvme=False, efa=True)["spec"] == {
        "containerd": {
            "baseRuntimeSpec": {
                "process": {
                    "rlimits": [
                        {"type": "RLIMIT_MEMLOCK", "soft": 8796093022208, "hard": 8796093022208},
                        {"type": "RLIMIT_NOFILE", "soft": 65536, "hard": 1048576},
                    ]
                }
            }
        }
    }


def test_both_settings_are_in_one_config() -> None:
    assert set(node_config(has_local_nvme=True, efa=True)["spec"]) == {"instance", "containerd", "featureGates"}


def test_without_either_there_is_no_user_data() -> None:
    assert node_user_data(has_local_nvme=False, efa=False) is None


@pytest.mark.parametrize("efa", [True, False])
def test_the_user_data_is_deterministic(efa: bool) -> None:
    assert node_user_data(has_local_nvme=True, efa=efa) == node_user_data(has_local_nvme=True, efa=efa)


def test_the_folder_for_weights_is_created_after_the_local_disks_are_mounted(tmp_path: Path) -> None:
    user_data = node_user_data(has_local_nvme=True, efa=False, weights_folder="/mnt/k8s-disks/0/weights")
    assert user_data is not None
    _, config, script = message_from_bytes(base64.b64decode(user_data)).walk()
    assert (config.get_content_type(), script.get_content_type()) == ("application/node.eks.aws", "text/x-shellscript")
    text = str(script.get_payload())
    assert text.startswith("#!/bin/bash\n")
    # Run the script, with its two systemd commands recorded instead of executed.
    units, done = tmp_path / "units", tmp_path / "done"
    units.mkdir()
    run = f'systemctl() {{ echo "$@" >> {done}; }}\n' + text.replace("/etc/systemd/system", str(units))
    subprocess.run(["bash", "-euo", "pipefail", "-c", run], check=True)
    unit = (units / "vllm-eks-weights.service").read_text()
    assert "After=nodeadm-run.service\n" in unit
    assert unit.index("mountpoint --quiet /mnt/k8s-disks/0\n") < unit.index(
        "mkdir --parents /mnt/k8s-disks/0/weights\n"
    )
    assert done.read_text().splitlines() == ["daemon-reload", "start --no-block vllm-eks-weights.service"]


def test_without_local_disks_there_is_no_folder() -> None:
    assert node_user_data(has_local_nvme=False, efa=False, weights_folder="/mnt/k8s-disks/0/weights") is None
