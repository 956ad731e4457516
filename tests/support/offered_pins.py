"""An account with new versions."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.aws_account import Account
from vllm_eks.pins.eks import ADDON_VERSIONS

STACK = """\
# The platform team's stack.
config:
  aws:region: us-west-2 # Oregon
  vllm-eks:network:
    zones: [us-west-2a, us-west-2b]
  vllm-eks:models:
    qwen:
      model: Qwen/Qwen3-8B
      instanceType: g5.xlarge
      zone: us-west-2a
  vllm-eks:cluster:
    # Who may reach the API server.
    publicAccessCidrs:
      - 203.0.113.0/24 # the office
    deletionProtection: true
  vllm-eks:tags: {team: "ml"}
"""
NEWEST = {**ADDON_VERSIONS, "coredns": "v1.14.10-eksbuild.1", "kube-proxy": "v1.36.2-eksbuild.4"}
AMI = "1.36.4-20261105"
Pins = Callable[..., tuple[int, str]]


def addon_versions(asked: Mapping[str, Any], newest: Mapping[str, str]) -> dict[str, Any]:
    name, kubernetes = asked["addonName"], asked["kubernetesVersion"]
    here, elsewhere, of_release = ({"clusterVersion": one} for one in (kubernetes, "1.99", "1.36"))
    listed = [
        {"addonVersion": newest[name], "architecture": ["amd64", "arm64"], "compatibilities": [here]},
        {"addonVersion": ADDON_VERSIONS[name], "architecture": ["amd64"], "compatibilities": [elsewhere, of_release]},
        {"addonVersion": "v99.0.0-eksbuild.1", "architecture": ["arm64"], "compatibilities": [here]},
        {"addonVersion": "v99.0.0-eksbuild.1", "architecture": ["amd64"], "compatibilities": [elsewhere]},
    ]
    return {"addons": [{"addonName": name, "addonVersions": listed}]}


def offering(*, newest: Mapping[str, str] = NEWEST, standard: str = AMI, **more: Any) -> Account:
    """An account with EKS's newest versions. `standard` is the AMI release for system nodes."""
    calendar = {"1.36": "STANDARD_SUPPORT", "1.37": "STANDARD_SUPPORT", "1.34": "EXTENDED_SUPPORT"}
    versions = [{"clusterVersion": version, "versionStatus": status} for version, status in calendar.items()]

    def parameter(asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["Name"].startswith("/aws/service/eks/optimized-ami/1.3")
        assert asked["Name"].endswith("/recommended/release_version")
        value = AMI if "/x86_64/nvidia/" in asked["Name"] else standard
        return {"Parameter": {"Name": asked["Name"], "Type": "String", "Value": value}}

    return Account(
        answers={
            "DescribeClusterVersions": {"clusterVersions": versions},
            "GetParameter": parameter,
            "DescribeAddonVersions": lambda asked: addon_versions(asked, newest),
            **more,
        }
    )


def offered(pins: Pins, account: Account, **options: Any) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in json.loads(pins(account, json_wanted=True, **options)[1])["pins"]}
