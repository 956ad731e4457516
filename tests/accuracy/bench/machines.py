"""The instance type of a benchmark row, also for GPUs that EC2 does not rent."""

import re
from dataclasses import dataclass, replace

from vllm_eks.planner.hardware.instances import InstanceType, find_instance
from vllm_eks.planner.hardware.peaks import TERA, PeakFlops, peak_flops

EC2_TYPES = {
    "H100": "p5.48xlarge",
    "H200": "p5en.48xlarge",
    "B200": "p6-b200.48xlarge",
    "B300": "p6-b300.48xlarge",
    "A100": "p4de.24xlarge",
    "A100-80": "p4de.24xlarge",
    "A100-40": "p4d.24xlarge",
    "L40S": "g6e.48xlarge",
    "L4": "g6.48xlarge",
    "A10G": "g5.48xlarge",
    "T4": "g4dn.metal",
    "RTX PRO 6000": "g7e.48xlarge",
    "RTX PRO 4500": "g7.48xlarge",
}


@dataclass(frozen=True, kw_only=True)
class Datasheet:
    """A GPU that EC2 does not rent: NVIDIA's public figures, dense, as of general knowledge."""

    memory_gib: float
    gbytes_per_second: float
    sm: str
    teraflops_16: float
    teraflops_fp8: float | None = None
    teraflops_fp4: float | None = None
    nvlink: float | None = None


OTHERS = {
    "A10": Datasheet(memory_gib=22.0, gbytes_per_second=600, sm="8.6", teraflops_16=125),
    "A30": Datasheet(memory_gib=23.5, gbytes_per_second=933, sm="8.0", teraflops_16=165),
    "A40": Datasheet(memory_gib=44.4, gbytes_per_second=696, sm="8.6", teraflops_16=150),
    "A800-80": Datasheet(memory_gib=79.1, gbytes_per_second=2039, sm="8.0", teraflops_16=312, nvlink=200),
    "RTX A5000": Datasheet(memory_gib=23.6, gbytes_per_second=768, sm="8.6", teraflops_16=111),
    "RTX A6000": Datasheet(memory_gib=47.4, gbytes_per_second=768, sm="8.6", teraflops_16=155),
    "RTX 3090": Datasheet(memory_gib=23.6, gbytes_per_second=936, sm="8.6", teraflops_16=71),
    "RTX 4090": Datasheet(memory_gib=23.6, gbytes_per_second=1008, sm="8.9", teraflops_16=165, teraflops_fp8=330),
    "RTX 4000 Ada": Datasheet(memory_gib=19.6, gbytes_per_second=360, sm="8.9", teraflops_16=107, teraflops_fp8=214),
    "RTX 6000 Ada": Datasheet(memory_gib=47.4, gbytes_per_second=960, sm="8.9", teraflops_16=364, teraflops_fp8=728),
    "L40": Datasheet(memory_gib=44.4, gbytes_per_second=864, sm="8.9", teraflops_16=181, teraflops_fp8=362),
    "L20": Datasheet(memory_gib=47.4, gbytes_per_second=864, sm="8.9", teraflops_16=120, teraflops_fp8=239),
    "RTX 5090": Datasheet(
        memory_gib=31.3, gbytes_per_second=1792, sm="12.0", teraflops_16=210, teraflops_fp8=419, teraflops_fp4=1676
    ),
    "H100 NVL": Datasheet(
        memory_gib=93.1, gbytes_per_second=3938, sm="9.0", teraflops_16=835, teraflops_fp8=1671, nvlink=300
    ),
    "H100 PCIe": Datasheet(memory_gib=79.1, gbytes_per_second=2039, sm="9.0", teraflops_16=756, teraflops_fp8=1513),
    "H20": Datasheet(
        memory_gib=95.1, gbytes_per_second=4000, sm="9.0", teraflops_16=148, teraflops_fp8=296, nvlink=450
    ),
    "H800": Datasheet(
        memory_gib=79.1, gbytes_per_second=3350, sm="9.0", teraflops_16=989, teraflops_fp8=1979, nvlink=200
    ),
    "GH200": Datasheet(
        memory_gib=94.5, gbytes_per_second=4000, sm="9.0", teraflops_16=989, teraflops_fp8=1979, nvlink=450
    ),
}
PCIE_GBYTES_PER_SECOND = 32.0


def known_name(gpu: str) -> str:
    """Return the known name of a GPU that a source may write in another way: NVIDIA A100-SXM4-40GB is A100-40."""
    names = (*EC2_TYPES, *OTHERS)
    if gpu in names:
        return gpu
    if "a100" in gpu.lower():
        return "A100-40" if "40" in gpu else "A100-80"
    words = f" {re.sub(r'[^a-z0-9]+', ' ', gpu.lower())} "
    return max((name for name in names if f" {name.lower()} " in words), key=len, default=gpu)


def machine_of(gpu: str, gpus: int) -> tuple[InstanceType, PeakFlops] | None:
    """Return a machine with this many of the GPUs on one node and its peak, or None for an unknown GPU."""
    name = known_name(gpu)
    if name in EC2_TYPES:
        instance = find_instance(EC2_TYPES[name])
        peak = peak_flops(instance)
        return None if peak is None else (replace(instance, gpus=max(gpus, instance.gpus)), peak)
    sheet = OTHERS.get(name)
    if sheet is None:
        return None
    instance = InstanceType(
        type=name,
        gpu=name,
        gpus=gpus,
        gpu_memory_gib=sheet.memory_gib,
        compute_capability=sheet.sm,
        gpu_memory_bandwidth_gbytes_per_second=sheet.gbytes_per_second,
        gpu_interconnect="NVLink" if sheet.nvlink else "PCIe",
        gpu_interconnect_gbytes_per_second=sheet.nvlink or PCIE_GBYTES_PER_SECOND,
    )
    peaks = PeakFlops(of_16_bits=sheet.teraflops_16, of_fp8=sheet.teraflops_fp8, of_fp4=sheet.teraflops_fp4)
    return instance, peaks * TERA
