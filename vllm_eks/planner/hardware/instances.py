"""The instance catalogue: GPUs, usable memory and price of each EC2 type that the planner supports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from math import inf
from pathlib import Path
from typing import Any, Self

from vllm_eks.data import DATA
from vllm_eks.data.folders import data_folders, writable_data_folder
from vllm_eks.errors import WrongQuestion, did_you_mean, nearest_names
from vllm_eks.json_fields import Fields, WrongField
from vllm_eks.json_files import read_json_object
from vllm_eks.json_values import is_list, is_object, list_or_empty
from vllm_eks.planner.hardware.other_types import why_not_served

REFERENCE_REGION = "us-east-1"
"""The region in which the price of every type on sale is known."""
CATALOGUE = DATA / "instances.json"
"""The shipped catalogue."""
WRONG_FILE = "{} is not a catalogue file of this version: delete it"


NVLINK_GPUS = ("A100", "H100", "H200", "H800", "B200", "B300", "GB200")


@dataclass(frozen=True)
class Gpu:
    """The properties of a GPU that decide memory. Instance types that differ only in host or disk have equal ones."""

    memory_gib: float
    sm: int
    has_nvlink: bool


@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """One EC2 instance type. data/instances.json lists the sources."""

    type: str
    gpu: str
    gpus: int
    gpu_memory_gib: float
    """Total memory of one GPU in GiB as cudaMemGetInfo reports it, which is less than the advertised size."""
    gpu_memory_source: str = "given"
    """`measured` (from public logs), `estimate`, or `given` (by an instance file)."""
    compute_capability: str
    gpu_memory_bandwidth_gbytes_per_second: float | None = None
    """Of one GPU, from its datasheet, or the share of a fractional GPU, in 10**9 bytes. None when unknown."""
    gpu_interconnect: str = "PCIe"
    gpu_interconnect_gbytes_per_second: float | None = None
    """Of one GPU in one direction, in 10**9 bytes. An upper bound for PCIe. None for a single GPU or when unknown."""
    vcpus: int | None = None
    memory_gib: float | None = None
    nvme_gb: float = 0
    network_gbps: float | None = None
    network_cards: int = 1
    efa_interfaces: int = 0
    gpudirect_rdma: bool | None = None
    usd_per_hour: float | None = None
    """On-demand Linux price in `price_region`, or the price in the instance file. None when unknown."""
    price_region: str | None = None
    """None for an instance file."""
    usd_per_hour_by_region: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)
    """All known list prices. Regions with an unknown price have no key."""
    quota_code: str | None = None
    quota_name: str | None = None
    zone_ids: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]], hash=False)
    """Region -> ids of the zones known to offer the type. Regions without a known zone have no key."""

    @classmethod
    def from_json(cls, row: object, *, where: str) -> Self:
        """Return the type that a row of a catalogue file describes.

        Raises:
            WrongField: It lacks a field, or has one of another name or type.
        """
        fields = Fields(row, where=where)
        read = cls(
            type=fields.required("type", str),
            gpu=fields.required("gpu", str),
            gpus=fields.required("gpus", int),
            gpu_memory_gib=fields.required("gpu_memory_gib", float),
            gpu_memory_source=fields.optional("gpu_memory_source", str, cls.gpu_memory_source),
            compute_capability=fields.required("compute_capability", str),
            gpu_memory_bandwidth_gbytes_per_second=fields.optional(
                "gpu_memory_bandwidth_gbytes_per_second", float, None
            ),
            gpu_interconnect=fields.optional("gpu_interconnect", str, cls.gpu_interconnect),
            gpu_interconnect_gbytes_per_second=fields.optional("gpu_interconnect_gbytes_per_second", float, None),
            vcpus=fields.optional("vcpus", int, None),
            memory_gib=fields.optional("memory_gib", float, None),
            nvme_gb=fields.optional("nvme_gb", float, cls.nvme_gb),
            network_gbps=fields.optional("network_gbps", float, None),
            network_cards=fields.optional("network_cards", int, cls.network_cards),
            efa_interfaces=fields.optional("efa_interfaces", int, cls.efa_interfaces),
            gpudirect_rdma=fields.optional("gpudirect_rdma", bool, None),
            usd_per_hour=fields.optional("usd_per_hour", float, None),
            price_region=fields.optional("price_region", str, None),
            usd_per_hour_by_region=fields.by_name("usd_per_hour_by_region", float),
            quota_code=fields.optional("quota_code", str, None),
            quota_name=fields.optional("quota_name", str, None),
            zone_ids=fields.lists_by_name("zone_ids"),
        )
        fields.end()
        return read

    @property
    def ranking_usd_per_hour(self) -> float:
        """The price for ranking: that of its region, else of the reference region, else infinity."""
        if self.usd_per_hour is not None:
            return self.usd_per_hour
        return self.usd_per_hour_by_region.get(REFERENCE_REGION, inf)

    @property
    def is_offered(self) -> bool:
        """Whether a zone of the price region is known to offer the type. Always true for an instance file."""
        return self.price_region is None or bool(self.zone_ids.get(self.price_region))

    @property
    def sm(self) -> int:
        """The compute capability as an integer: 8.6 is 86."""
        return int(self.compute_capability.replace(".", ""))

    @property
    def has_nvlink(self) -> bool:
        """Whether the GPUs of a node are connected by NVLink. An instance file often gives only the GPU's name."""
        return "NVLink" in self.gpu_interconnect or self.gpu.upper().startswith(NVLINK_GPUS)

    @property
    def one_gpu(self) -> Gpu:
        """One of its GPUs, for the memory model."""
        return Gpu(memory_gib=self.gpu_memory_gib, sm=self.sm, has_nvlink=self.has_nvlink)


class UnknownInstanceType(WrongQuestion):
    """The catalogue has no such instance type."""

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        self.name = name
        self.why = why_not_served(name)
        """Why an existing EC2 type is not supported, or None when the name may be a typo."""
        self.nearest = () if self.why else nearest
        reason = self.why or (
            f"is not in the catalogue{did_you_mean(nearest)} (describe a type that is missing with --instance-file)"
        )
        super().__init__(f"instance type {name!r} {reason}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Catalogue:
    """The known instance types and their sources."""

    head: Mapping[str, Any]
    """Sources, and the dates of prices and of refreshed regions, with the keys of the file."""
    rows: Mapping[str, tuple[Path, object]]
    """The file and the row of each type. A row is read when its type is needed."""

    def read(self, name: str) -> InstanceType:
        """Return the type with this name.

        Raises:
            WrongQuestion: Another version wrote its row.
        """
        file, row = self.rows[name]
        try:
            return InstanceType.from_json(row, where=str(file))
        except WrongField:
            raise WrongQuestion(WRONG_FILE.format(file)) from None

    @cached_property
    def types(self) -> Mapping[str, InstanceType]:
        """All types, by name.

        Raises:
            WrongQuestion: Another version wrote one of the rows.
        """
        return {name: self.read(name) for name in self.rows}


@cache
def known_catalogue() -> Catalogue:
    """Return the shipped catalogue, updated with the user's own catalogue.

    Raises:
        WrongQuestion: The user's catalogue cannot be read.
    """
    head: dict[str, Any] = {}
    rows: dict[str, tuple[Path, object]] = {}
    for folder in reversed(data_folders()):
        file = folder / CATALOGUE.name
        if file.exists():
            read = read_catalogue_file(file)
            head |= {**read.head, "prices": {**head.get("prices", {}), **read.head["prices"]}}
            rows |= read.rows
    return Catalogue(head=head, rows=rows)


def read_catalogue_file(file: Path) -> Catalogue:
    """Return the contents of a catalogue file.

    Raises:
        WrongQuestion: The file cannot be read, or another version wrote it.
    """
    document = read_json_object(file)
    listed: object = document.pop("instances", None)
    rows = {str(row.get("type")): (file, row) for row in list_or_empty(listed) if is_object(row)}
    complete = is_list(listed) and len(rows) == len(listed)
    if not (complete and is_object(document.get("prices")) and is_object(document.get("sources"))):
        raise WrongQuestion(WRONG_FILE.format(file))
    return Catalogue(head=document, rows=rows)


def writable_catalogue_file() -> Path:
    """Return the file to write a refreshed catalogue to. It may not exist yet.

    Raises:
        WrongQuestion: There is no writable data folder.
    """
    return writable_data_folder() / CATALOGUE.name


@cache
def catalogue(region: str = REFERENCE_REGION) -> dict[str, InstanceType]:
    """Return all known instance types by name, with their prices in a region where known."""
    return {name: _priced(instance, region) for name, instance in known_catalogue().types.items()}


def _priced(instance: InstanceType, region: str) -> InstanceType:
    return replace(instance, usd_per_hour=instance.usd_per_hour_by_region.get(region), price_region=region)


@cache
def find_instance(name: str, region: str = REFERENCE_REGION) -> InstanceType:
    """Return the instance type with this name, with its price in a region if known.

    Raises:
        UnknownInstanceType: The type is not in the catalogue. The error has the nearest names.
    """
    known = known_catalogue()
    if name not in known.rows:
        raise UnknownInstanceType(name, nearest_names(name, known.rows))
    return _priced(known.read(name), region)
