"""Turns EC2's records into rows of the instance catalogue. Data that EC2 does not state comes from rows with the same
GPU."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import Any, TypeVar

from vllm_eks.planner.hardware.instances import InstanceType

MIB_PER_GIB = 1024
USABLE_MEMORY_SHARE = 0.91
"""For the memory of an unmeasured GPU model: the lowest share of EC2's stated memory of any measured model (T4, whose
error correction uses a part of the memory; the others have 0.98 or more). A plan that is refused by mistake can be
checked again, but a model that runs out of memory at its start has cost a node's hours."""

SAME_MEMORY = (0.90, 1.0)
"""Usable to stated memory of the same GPU. It distinguishes an A100 with 80 GB from one with 40."""

CATALOGUE_NAMES = {"RTX PRO Server 6000": "RTX PRO 6000"}
"""GPUs that EC2 names differently from NVIDIA and the catalogue."""

CAPABILITIES = {"K80": "3.7", "M60": "5.2", "T4g": "7.5", "V100": "7.0"}
"""NVIDIA's public table, for models in EC2 that the catalogue lacks, because EC2 does not state the compute
capability."""

MIN_COMPUTE_CAPABILITY = 7.0
"""vLLM does not run on older GPUs."""

NOT_KNOWN = "not known"


Figure = TypeVar("Figure")


class UnsupportedTypeError(ValueError):
    """The catalogue does not support this type. The text has the reason."""


def updated(row: InstanceType, record: dict[str, Any]) -> InstanceType:
    """Return the row with EC2's current values. The GPU, its memory and its bandwidths are unchanged."""
    figures = _figures(record)
    return replace(
        row,
        gpus=_latest(row.gpus, figures.gpus),
        vcpus=_latest(row.vcpus, figures.vcpus),
        memory_gib=_latest(row.memory_gib, figures.memory_gib),
        nvme_gb=_latest(row.nvme_gb, figures.nvme_gb),
        network_gbps=_latest(row.network_gbps, figures.network_gbps),
        network_cards=_latest(row.network_cards, figures.network_cards),
        efa_interfaces=_latest(row.efa_interfaces, figures.efa_interfaces),
    )


def _latest(known: Figure, stated: Figure | None) -> Figure:
    """Return EC2's value, or the known one if EC2 states none or the same in another number type."""
    return known if stated is None or stated == known else stated


def new_row(record: dict[str, Any], rows: list[InstanceType]) -> InstanceType:
    """Return a row for a type that the catalogue lacks.

    Usable memory is that of a measured row with the same GPU, or else an estimate (USABLE_MEMORY_SHARE).

    Raises:
        UnsupportedTypeError: The stack's nodes cannot run it, or its compute capability is unknown.
    """
    name = gpu_name(record)
    if "x86_64" not in record["ProcessorInfo"]["SupportedArchitectures"]:
        raise UnsupportedTypeError("the stack's nodes are x86_64")
    capability = _capability(name, rows)
    figures = _figures(record)
    same_gpu = [row for row in rows if row.gpu == name and _same_memory(row.gpu_memory_gib, record)]
    measured = min((row.gpu_memory_gib for row in same_gpu if row.gpu_memory_source == "measured"), default=None)
    estimate = floor(stated_gib(record) * USABLE_MEMORY_SHARE * 100) / 100
    link, link_speed = _link(same_gpu, figures.gpus)
    quota = next((row for row in rows if row.type[0] == record["InstanceType"][0] and row.quota_code), None)
    return InstanceType(
        type=record["InstanceType"],
        gpu=name,
        gpu_memory_gib=measured if measured is not None else estimate,
        gpu_memory_source="measured" if measured is not None else "estimate",
        compute_capability=capability,
        gpu_memory_bandwidth_gbytes_per_second=next(
            (row.gpu_memory_bandwidth_gbytes_per_second for row in same_gpu), None
        ),
        gpu_interconnect=link,
        gpu_interconnect_gbytes_per_second=link_speed,
        quota_code=quota.quota_code if quota else None,
        quota_name=quota.quota_name if quota else None,
        gpus=figures.gpus,
        vcpus=figures.vcpus,
        memory_gib=figures.memory_gib,
        nvme_gb=figures.nvme_gb,
        network_gbps=figures.network_gbps,
        network_cards=InstanceType.network_cards if figures.network_cards is None else figures.network_cards,
        efa_interfaces=figures.efa_interfaces,
    )


def not_known(row: InstanceType) -> list[str]:
    """Return the fields of a new row that neither EC2 nor a row with the same GPU has."""
    fields = ["gpu_memory_bandwidth_gbytes_per_second", "gpudirect_rdma", "quota_code"]
    if row.gpus > 1:
        fields += ["gpu_interconnect", "gpu_interconnect_gbytes_per_second"]
    return [field for field in fields if getattr(row, field) in (None, NOT_KNOWN)]


def disagreement(row: InstanceType, record: dict[str, Any]) -> str | None:
    """Return a remark if EC2 states less memory than the catalogue's usable memory, or far more."""
    if _same_memory(row.gpu_memory_gib, record):
        return None
    return (
        f"{row.type}: EC2 states {stated_gib(record):.2f} GiB per GPU, and the catalogue has {row.gpu_memory_gib:.2f} "
        f"GiB usable ({row.gpu_memory_source}): measure it"
    )


def gpu_name(record: dict[str, Any]) -> str:
    """Return the catalogue's name of a record's GPU, with the share for a part of one: L4 (1/8)."""
    gpu = record["GpuInfo"]["Gpus"][0]
    share = Fraction(gpu.get("GpuPartitionSize", 1)).limit_denominator(64)
    name = str(CATALOGUE_NAMES.get(gpu["Name"], gpu["Name"]))
    return name if share == 1 else f"{name} ({share})"


def stated_gib(record: dict[str, Any]) -> float:
    """Return the memory of one GPU in GiB as EC2 states it, which is more than a program can use."""
    return record["GpuInfo"]["Gpus"][0]["MemoryInfo"]["SizeInMiB"] / MIB_PER_GIB


@dataclass(frozen=True, kw_only=True)
class Figures:
    """EC2's data about a type. None if its record has none."""

    gpus: int
    vcpus: int
    memory_gib: float
    nvme_gb: float
    network_gbps: float | None
    network_cards: int | None
    efa_interfaces: int


def _figures(record: dict[str, Any]) -> Figures:
    gpu, network = record["GpuInfo"]["Gpus"][0], record["NetworkInfo"]
    return Figures(
        # For a type with only a share of a GPU, EC2 states 0 GPUs and 1 logical GPU.
        gpus=gpu.get("LogicalGpuCount") or gpu["Count"] or 1,
        vcpus=record["VCpuInfo"]["DefaultVCpus"],
        memory_gib=record["MemoryInfo"]["SizeInMiB"] / MIB_PER_GIB,
        nvme_gb=record.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0),
        network_gbps=_network_gbps(network),
        network_cards=network.get("MaximumNetworkCards"),
        efa_interfaces=network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0),
    )


def _network_gbps(network: dict[str, Any]) -> float | None:
    """Return the sustained bandwidth of the type: the baseline of a single card, or the advertised value of several.

    The values of the cards do not add up: each of g6e.48xlarge's four cards states the 400 Gbps that all share.
    """
    cards = network.get("NetworkCards", [])
    if len(cards) == 1:
        return cards[0].get("BaselineBandwidthInGbps")
    shown = re.fullmatch(r"(?:(\d+)x )?([\d.]+) Gigabit", network.get("NetworkPerformance", ""))
    return float(shown[2]) * int(shown[1] or 1) if shown else None


def _capability(name: str, rows: list[InstanceType]) -> str:
    model = name.split(" (")[0]
    known = {row.gpu.split(" (")[0]: row.compute_capability for row in rows}
    found = known.get(model) or CAPABILITIES.get(model)
    if found is None:
        raise UnsupportedTypeError(
            f"EC2 does not state the compute capability of its GPU, {model}: describe the type in an --instance-file"
        )
    if float(found) < MIN_COMPUTE_CAPABILITY:
        raise UnsupportedTypeError(f"vLLM does not run on {model} (compute capability {found})")
    return found


def _link(same_gpu: list[InstanceType], gpus: int) -> tuple[str, float | None]:
    if gpus == 1:
        return "none (single GPU)", None
    twin = next((row for row in same_gpu if row.gpus > 1), None)
    return (twin.gpu_interconnect, twin.gpu_interconnect_gbytes_per_second) if twin else (NOT_KNOWN, None)


def _same_memory(usable_gib: float, record: dict[str, Any]) -> bool:
    low, high = SAME_MEMORY
    return low <= usable_gib / stated_gib(record) <= high
