"""The instance catalogue: GPUs, usable memory and price of every EC2 type the planner knows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from vllm_eks.data import DATA
from vllm_eks.data.folders import data_folders, writable_data_folder
from vllm_eks.errors import WrongQuestion, did_you_mean, nearest_names
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.hardware.other_types import why_not_served

REFERENCE_REGION = "us-east-1"
"""The region whose prices are known of every type that is sold there."""
CATALOGUE = DATA / "instances.json"
"""The shipped catalogue."""
ABOVE_ZERO = (
    "gpus",
    "gpu_memory_gib",
    "gpu_memory_bandwidth_gbytes_per_second",
    "gpu_interconnect_gbytes_per_second",
)


NVLINK_GPUS = ("A100", "H100", "H200", "H800", "B200", "B300", "GB200")


@dataclass(frozen=True)
class Gpu:
    """What the memory account needs of one GPU: types that differ only in host or disk share it."""

    memory_gib: float
    sm: int
    has_nvlink: bool


@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """One EC2 instance type. Sources stand at the head of data/instances.json."""

    type: str
    gpu: str
    gpus: int
    gpu_memory_gib: float
    """Total of one GPU as cudaMemGetInfo reports it, in GiB: below the nameplate."""
    gpu_memory_source: str = "given"
    """`measured` (read in public logs), `estimate`, or `given` (by an instance file)."""
    compute_capability: str
    gpu_memory_bandwidth_gbytes_per_second: float | None = None
    """Of one GPU, as its datasheet says; of a share of a GPU, that share. 10**9 bytes; None: not known."""
    gpu_interconnect: str = "PCIe"
    gpu_interconnect_gbytes_per_second: float | None = None
    """Of one GPU, one direction. 10**9 bytes; over PCIe an upper bound; None: a single GPU, or not known."""
    vcpus: int | None = None
    memory_gib: float | None = None
    nvme_gb: float = 0
    network_gbps: float | None = None
    network_cards: int = 1
    efa_interfaces: int = 0
    gpudirect_rdma: bool | None = None
    usd_per_hour: float | None = None
    """On demand, Linux, in `price_region`; None: not known there. Of an instance file: what the file says."""
    price_region: str | None = None
    """None: of an instance file."""
    usd_per_hour_by_region: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Every list price that is known; no key: not known there."""
    quota_code: str | None = None
    quota_name: str | None = None
    zone_ids: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    """Region -> ids of the zones known to offer the type; no key: none is known there."""

    @property
    def ranking_usd_per_hour(self) -> float:
        """What the type is ranked by: its price, else that of the reference region, else the dearest."""
        if self.usd_per_hour is not None:
            return self.usd_per_hour
        return self.usd_per_hour_by_region.get(REFERENCE_REGION, inf)

    @property
    def sm(self) -> int:
        """The compute capability as vLLM compares it: 8.6 is 86."""
        return int(self.compute_capability.replace(".", ""))

    @property
    def has_nvlink(self) -> bool:
        """Whether the GPUs of a node talk over NVLink; an instance file often names only the GPU."""
        return "NVLink" in self.gpu_interconnect or self.gpu.upper().startswith(NVLINK_GPUS)

    @property
    def one_gpu(self) -> Gpu:
        """One of its GPUs, for the memory account."""
        return Gpu(memory_gib=self.gpu_memory_gib, sm=self.sm, has_nvlink=self.has_nvlink)


class UnknownInstanceType(WrongQuestion):
    """The catalogue has no such instance type."""

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        self.name = name
        self.why = why_not_served(name)
        """What a real type of EC2 lacks; None where the name may be a slip of the pen."""
        self.nearest = () if self.why else nearest
        lacks = self.why or (
            f"is not in the catalogue{did_you_mean(nearest)} (a type it lacks can be described with --instance-file)"
        )
        super().__init__(f"instance type {name!r} {lacks}")


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The instance types that are known, and where that is from."""

    head: Mapping[str, Any]
    """Sources, and the dates of prices and of refreshed regions; by the keys of the file."""
    types: Mapping[str, InstanceType]


@cache
def known_catalogue() -> Catalogue:
    """Return the shipped catalogue, with what a user's own one has in its place.

    Raises:
        WrongQuestion: The user's own catalogue cannot be read.
    """
    head: dict[str, Any] = {}
    types: dict[str, InstanceType] = {}
    for folder in reversed(data_folders()):
        file = folder / CATALOGUE.name
        if file.exists():
            found = read_catalogue_file(file)
            head |= {**found.head, "prices": {**head.get("prices", {}), **found.head["prices"]}}
            types |= found.types
    return Catalogue(head=head, types=types)


def read_catalogue_file(file: Path) -> Catalogue:
    """Return what one catalogue file holds.

    Raises:
        WrongQuestion: It cannot be read, or is not of this version's form.
    """
    document = read_json_object(file)
    try:
        rows = [InstanceType(**row) for row in document.pop("instances")]
        if not (isinstance(document["prices"], dict) and isinstance(document["sources"], dict)):
            raise TypeError
    except (KeyError, TypeError):
        raise WrongQuestion(f"{file} is not a catalogue of this version: delete it") from None
    return Catalogue(head=document, types={row.type: row for row in rows})


def writable_catalogue_file() -> Path:
    """Return the file that a refreshed catalogue is written to; it need not exist yet.

    Raises:
        WrongQuestion: There is none.
    """
    return writable_data_folder() / CATALOGUE.name


@cache
def catalogue(region: str = REFERENCE_REGION) -> dict[str, InstanceType]:
    """Return every known instance type by name, with its price in a region where that is known."""
    return {
        name: replace(found, usd_per_hour=found.usd_per_hour_by_region.get(region), price_region=region)
        for name, found in known_catalogue().types.items()
    }


def find_instance(name: str, region: str = REFERENCE_REGION) -> InstanceType:
    """Return the instance type of this name, with its price in a region where that is known.

    Raises:
        UnknownInstanceType: It is not in the catalogue; carries the nearest names.
    """
    if name not in catalogue(region):
        raise UnknownInstanceType(name, nearest_names(name, catalogue(region)))
    return catalogue(region)[name]


def read_instance_file(path: Path) -> InstanceType:
    """Return the instance type that a JSON file describes.

    Raises:
        WrongQuestion: The file is missing, is no JSON object, or lacks a field; all faults at once.
    """
    document = read_json_object(path, called="--instance-file")
    return instance_of(document, where=f"--instance-file {path}")


def instance_of(document: dict[str, Any], *, where: str) -> InstanceType:
    """Return the instance type that plain fields describe.

    Raises:
        WrongQuestion: Fields that are missing, unknown or out of range; all of them at once.
    """
    from pydantic import TypeAdapter, ValidationError  # loaded only here: it costs a fifth of the answer's time

    capability = str(document.get("compute_capability", ""))
    faults = []
    if "compute_capability" in document and not re.fullmatch(r"\d+\.\d", capability):
        faults.append(f"compute_capability: {capability!r} is not of the form 8.6")
    try:
        found = TypeAdapter(InstanceType).validate_python(
            {**document, **({"compute_capability": capability} if capability else {})}, extra="forbid"
        )
    except ValidationError as error:
        words = {"missing": "is missing", "unexpected_keyword_argument": "is not a known key"}
        for fault in error.errors():
            faults.append(f"{'.'.join(map(str, fault['loc']))}: {words.get(fault['type'], fault['msg'])}")
        raise WrongQuestion(f"{where}: {'; '.join(faults)}") from None
    faults += [
        f"{key}: must be above 0" for key in ABOVE_ZERO if (value := getattr(found, key)) is not None and value <= 0
    ]
    if faults:
        raise WrongQuestion(f"{where}: {'; '.join(faults)}")
    return found
