"""Checks that the nodes' AMI release supports the models' GPUs. Otherwise the error appears only when a node boots."""

from collections.abc import Iterator, Mapping

from vllm_eks.check import Check
from vllm_eks.planner.hardware.drivers import lacks_driver
from vllm_eks.planner.search.gpu_nodes import GpuNodes


def release_checks(fleet: Mapping[str, GpuNodes], release: str) -> Iterator[Check]:
    """Yield a failed check for each model whose GPUs the AMI release has no driver for."""
    for name, nodes in fleet.items():
        text = lacks_driver(nodes.plan.instance.type, release)
        if text:
            yield Check(subject=f"models.{name}.instanceType", status="failed", text=text)
