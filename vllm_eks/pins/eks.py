"""The Kubernetes, add-on and node AMI versions of this release.

Source: EKS add-on versions for 1.36 of 2026-08, the EKS release calendar and the amazon-eks-ami changelog (v20260714).
Everything is pinned, because a version that changes on its own would replace nodes without an edit.
"""

from collections.abc import Mapping
from types import MappingProxyType

SUPPORTED_KUBERNETES_VERSIONS = ("1.35", "1.36")
"""In EKS standard support on 2026-11-23: 1.35 until 2027-03-27, 1.36 until 2027-08-02."""

DEFAULT_KUBERNETES_VERSION = "1.36"

LEAVING_KUBERNETES_VERSIONS: Mapping[str, str] = MappingProxyType({"1.34": "2026-12-02", "1.33": "2026-07-29"})
"""Recent versions whose standard support has ended or ends soon, with that day."""

ADDON_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "vpc-cni": "v1.23.0-eksbuild.1",
        "kube-proxy": "v1.36.0-eksbuild.14",
        "coredns": "v1.14.3-eksbuild.3",
        "eks-pod-identity-agent": "v1.4.0-eksbuild.1",
        "eks-node-monitoring-agent": "v1.7.0-eksbuild.1",
        "aws-ebs-csi-driver": "v1.63.1-eksbuild.1",
    }
)
"""Only for DEFAULT_KUBERNETES_VERSION."""

EBS_CSI_DRIVER = "aws-ebs-csi-driver"
"""Installed only for the volume of the stack's own Prometheus. Other stacks do not need its version."""

SYSTEM_INSTANCE_TYPE = "m7i.large"
"""For system nodes: 2 vCPUs and 8 GiB for CoreDNS, the controllers and the Jobs. Not available in every region."""

COPY_IMAGE = "public.ecr.aws/lambda/python:3.13.2026.06.05.14"
"""AWS's Python image, which includes boto3. The tag `3.13` alone would change over time."""

NODE_RELEASE_VERSION = "1.36.2-20260714"
"""The release of the AL2023 AMI, standard and NVIDIA. Only for DEFAULT_KUBERNETES_VERSION."""
