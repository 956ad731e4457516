"""The Kubernetes, add-on and node image versions this release was made for.

Source: EKS add-on versions for 1.36 of 2026-08, the EKS release calendar and the amazon-eks-ami changelog
(v20260714). Everything is pinned because a version that moves by itself replaces nodes without any edit.
"""

from collections.abc import Mapping
from types import MappingProxyType

SUPPORTED_KUBERNETES_VERSIONS = ("1.35", "1.36")
"""In EKS standard support on 2026-11-23: 1.35 until 2027-03-27, 1.36 until 2027-08-02."""

DEFAULT_KUBERNETES_VERSION = "1.36"

LEAVING_KUBERNETES_VERSIONS: Mapping[str, str] = MappingProxyType({"1.34": "2026-12-02", "1.33": "2026-07-29"})
"""Versions people still have in mind, with the day their standard support ends."""

ADDON_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "vpc-cni": "v1.23.0-eksbuild.1",
        "kube-proxy": "v1.36.0-eksbuild.14",
        "coredns": "v1.14.3-eksbuild.3",
        "eks-pod-identity-agent": "v1.4.0-eksbuild.1",
        "eks-node-monitoring-agent": "v1.7.0-eksbuild.1",
    }
)
"""For DEFAULT_KUBERNETES_VERSION only."""

SYSTEM_INSTANCE_TYPE = "m7i.large"
"""Of system nodes: 2 vCPUs and 8 GiB for CoreDNS, the controllers and the Jobs. Not sold in every region."""

COPY_IMAGE = "public.ecr.aws/lambda/python:3.13.2026.06.05.14"
"""AWS's Python image, which brings boto3. `3.13` alone moves."""

NODE_RELEASE_VERSION = "1.36.2-20260714"
"""The AL2023 AMI release, standard and NVIDIA alike; for DEFAULT_KUBERNETES_VERSION only."""
