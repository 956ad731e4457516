"""Checks that the nodes' AMI release supports the models' GPUs. Otherwise the error appears only when a node boots."""

import re
from collections.abc import Iterator, Mapping

from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

DRIVER_595_RELEASE = "20260917"
"""amazon-eks-ami #2768: since v20260917 the AL2023 NVIDIA AMI has drivers 580 and 595, and chooses by instance type."""

NEEDS_DRIVER_595 = re.compile(r"g7\.")
"""EKS user guide, accelerated AMIs: G7 needs NVIDIA driver 595, and G7e does not."""


def release_checks(fleet: Mapping[str, GpuNodes], release: str) -> Iterator[Check]:
    """Yield a failed check for each model whose GPUs the AMI release has no driver for."""
    built_on = release.rpartition("-")[2]
    if not built_on.isdigit() or built_on >= DRIVER_595_RELEASE:
        return
    for name, nodes in fleet.items():
        instance_type = nodes.plan.instance.type
        if NEEDS_DRIVER_595.match(instance_type):
            text = (
                f"{instance_type} needs NVIDIA driver 595, and AMI release {release} has only 580, so the node would "
                f"have no GPU: set cluster.nodeReleaseVersion to {DRIVER_595_RELEASE} or later "
                "(vllm-eks pins shows the newest)"
            )
            yield Check(subject=f"models.{name}.instanceType", status="failed", text=text)
