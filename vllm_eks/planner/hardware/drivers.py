"""Which NVIDIA driver an instance type needs, and which AMI release has it."""

import re

from vllm_eks.pins.eks import NODE_RELEASE_VERSION

DRIVER_595_RELEASE = "20260917"
"""amazon-eks-ami #2768: since v20260917 the AL2023 NVIDIA AMI has drivers 580 and 595, and chooses by instance type."""

NEEDS_DRIVER_595 = re.compile(r"g7\.")
"""EKS user guide, accelerated AMIs: G7 needs NVIDIA driver 595, and G7e does not."""


def lacks_driver(instance_type: str, node_release_version: str = NODE_RELEASE_VERSION) -> str | None:
    """Return why nodes of a type would have no GPU with this AMI release, or None when its driver supports them.

    >>> (lacks_driver("g7.2xlarge", "1.36.2-20260714") or "").partition(",")[0]
    'g7.2xlarge needs NVIDIA driver 595'
    """
    built_on = node_release_version.rpartition("-")[2]
    if not NEEDS_DRIVER_595.match(instance_type) or not built_on.isdigit() or built_on >= DRIVER_595_RELEASE:
        return None
    return (
        f"{instance_type} needs NVIDIA driver 595, and AMI release {node_release_version} has only 580, so the node "
        f"would have no GPU: set cluster.nodeReleaseVersion to {DRIVER_595_RELEASE} or later "
        "(vllm-eks pins shows the newest)"
    )
