"""Single values: accepted ones, and the exact error text of others."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from config.cross_field.stack import Draft, cross_field_errors
from config.sections import parse_section
from config.settings.cluster import ClusterSettings
from config.settings.model import ModelSettings
from config.values import network_rules, rules
from vllm_eks.aws import names as aws_names
from vllm_eks.aws.regions import known_region
from vllm_eks.pins.eks import ADDON_VERSIONS

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (known_region, "us-gov-west-1"),
        (network_rules.zone, "ap-southeast-2c"),
        (network_rules.network_cidr, "100.64.0.0/16"),
        (network_rules.network_cidr, "172.16.0.0/20"),
        (network_rules.public_access_cidr, "0.0.0.0/0"),
        (aws_names.principal_arn, "arn:aws-us-gov:iam::123456789012:role/path/to/admin"),
        (aws_names.principal_arn, "arn:aws:iam::123456789012:user/jane"),
        (rules.image, "localhost:5000/vllm:dev"),
        (rules.image, f"registry.example.com:5000/team/vllm@{DIGEST}"),
        (rules.image, f"registry.example.com/vllm:latest@{DIGEST}"),
        (rules.model_name, "a"),
        (rules.model_name, "a" * 40),
        (rules.vllm_version, "0.20.2"),
    ],
)
def test_a_valid_value_is_unchanged(rule: Callable[[str], str], value: str) -> None:
    assert rule(value) == value


@pytest.mark.parametrize(
    ("rule", "value", "reported"),
    [
        (known_region, "us-west", "'us-west' is not a region: did you mean us-west-2?"),
        (
            network_rules.zone,
            "us-west-2-lax-1a",
            "'us-west-2-lax-1a' is not an availability zone: use a region and a letter, such as us-west-2a",
        ),
        (
            network_rules.network_cidr,
            "10.0.0.0/8",
            "'10.0.0.0/8' has the wrong size: use a prefix length from /16 to /20",
        ),
        (
            network_rules.network_cidr,
            "10.0.0.0/21",
            "'10.0.0.0/21' has the wrong size: use a prefix length from /16 to /20",
        ),
        (network_rules.network_cidr, "10.0.1.0/16", "'10.0.1.0/16' has bits set after its prefix: use 10.0.0.0/16"),
        (
            rules.kubernetes_version,
            "1.37",
            '\'1.37\' is not a Kubernetes version that this release supports: set "1.35" or "1.36"',
        ),
        (rules.node_release_version, "1.36", "'1.36' is not an EKS AMI release: set one such as 1.36.2-20260714"),
        (rules.addon_version, "1.23.0", "'1.23.0' is not an EKS add-on version: set one such as v1.23.0-eksbuild.1"),
        (
            aws_names.principal_arn,
            "arn:aws:iam::123456789012:root",
            "'arn:aws:iam::123456789012:root' is not the ARN of an IAM user or role: use one such as "
            "arn:aws:iam::123456789012:role/admin",
        ),
        (
            rules.image,
            "vllm/vllm-openai:v0.21.0",
            "'vllm/vllm-openai:v0.21.0' has no registry: use the full reference, such as "
            "docker.io/vllm/vllm-openai:v0.21.0",
        ),
        (
            rules.image,
            "registry.example.com/vllm",
            "'registry.example.com/vllm' has no tag: use a version tag or a digest (@sha256:...)",
        ),
        (
            rules.image,
            "registry.example.com/vllm@sha256:12",
            "'registry.example.com/vllm@sha256:12' is not an image reference: use registry/repository:tag",
        ),
        (
            rules.image,
            "registry.example.com/vllm:a b",
            "'registry.example.com/vllm:a b' is not an image reference: use registry/repository:tag",
        ),
        (rules.model_name, "a" * 41, "the name has 41 characters: use at most 40"),
        (
            rules.model_name,
            "7b",
            "the name is not a DNS label (lower-case letters, digits and -, starting with a letter and ending with a "
            "letter or digit): use one such as llama-4-scout",
        ),
    ],
)
def test_an_invalid_value_is_reported_with_a_fix(rule: Callable[[str], str], value: str, reported: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reported)}$"):
        rule(value)


@pytest.mark.parametrize(
    ("key", "value", "reported"),
    [
        ("k" * 129, "v", "the key has 129 characters: use at most 128"),
        ("k", "v" * 257, "the value has 257 characters: use at most 256"),
        ("AWS:k", "v", "keys that begin with aws: are reserved: use another key"),
    ],
)
def test_a_tag_aws_would_refuse_is_reported(key: str, value: str, reported: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reported)}$"):
        rules.tag(key, value)


def cluster_errors(**settings: Any) -> list[str]:
    cluster = parse_section(ClusterSettings, {"publicAccessCidrs": [], **settings}, "p:cluster")
    draft = Draft(
        project="p",
        region="us-west-2",
        has_hugging_face_token=True,
        network=None,
        cluster=cluster.settings,
        models={},
        charts=None,
    )
    return [str(error) for error in [*cluster.errors, *cross_field_errors(draft)]]


def test_an_unknown_add_on_is_reported() -> None:
    assert cluster_errors(addonVersions={"core-dns": "v1.14.3-eksbuild.3"}) == [
        "p:cluster.addonVersions.core-dns: is not a setting: did you mean coredns?"
    ]


def test_another_kubernetes_version_needs_its_node_release() -> None:
    addons = {**ADDON_VERSIONS, "kube-proxy": "v1.35.3-eksbuild.2"}

    assert cluster_errors(kubernetesVersion="1.35", addonVersions=addons) == [
        "p:cluster.nodeReleaseVersion: is missing: only 1.36 has pinned versions, not 1.35, so set an AMI "
        "release such as 1.35.1-20260714"
    ]


def test_the_same_caller_twice_is_reported() -> None:
    assert cluster_errors(publicAccessCidrs=["203.0.113.7/32", "203.0.113.7/32"]) == [
        "p:cluster.publicAccessCidrs: '203.0.113.7/32' is listed twice: remove one"
    ]


@pytest.mark.parametrize(("share", "reported"), [(0.05, "set 0.1 or more"), (0.99, "set 0.98 or less")])
def test_an_impossible_share_of_gpu_memory_is_reported(share: float, reported: str) -> None:
    model = {"model": "m", "instanceType": "t", "zone": "us-west-2a", "gpuMemoryUtilization": share}

    (error,) = parse_section(ModelSettings, model, "m").errors

    assert error.text.endswith(reported)


@pytest.mark.parametrize(("factor", "reported"), [(0.2, "set 0.25 or more"), (5, "set 4.0 or less")])
def test_an_impossible_step_factor_is_reported(factor: float, reported: str) -> None:
    model = {"model": "m", "instanceType": "t", "zone": "us-west-2a", "measuredStepFactor": factor}

    (error,) = parse_section(ModelSettings, model, "m").errors

    assert error.text.endswith(reported)


def test_settings_are_immutable() -> None:
    cluster = ClusterSettings.model_validate({"publicAccessCidrs": []})

    with pytest.raises(ValueError, match="frozen"):
        cluster.kubernetes_version = "1.35"
