import base64
import json
from email import message_from_bytes

import pytest

from components.node_user_data import node_user_data


def node_config(*, has_local_nvme: bool, efa: bool) -> dict:
    """Return the NodeConfig as a MIME parser sees it."""
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
        "spec": {"instance": {"localStorage": {"strategy": "RAID0"}}},
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


def test_both_go_into_one_config() -> None:
    assert set(node_config(has_local_nvme=True, efa=True)["spec"]) == {"instance", "containerd"}


def test_neither_needs_no_user_data() -> None:
    assert node_user_data(has_local_nvme=False, efa=False) is None


@pytest.mark.parametrize("efa", [True, False])
def test_it_is_the_same_at_every_run(efa: bool) -> None:
    assert node_user_data(has_local_nvme=True, efa=efa) == node_user_data(has_local_nvme=True, efa=efa)
