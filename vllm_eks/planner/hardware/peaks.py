"""Peak operations per second of the GPUs, by type of value. data/gpu_peaks.json has the source."""

import re
from dataclasses import dataclass
from functools import cache

from vllm_eks.data import DATA
from vllm_eks.json_fields import Fields
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.hardware.instances import InstanceType

PEAKS = DATA / "gpu_peaks.json"
TERA = 1e12
FRACTION = re.compile(r"(.+) \((\d+)/(\d+)\)")
"""The name of a part of a GPU, such as L4 (1/8)."""


@dataclass(frozen=True, kw_only=True)
class PeakFlops:
    """Dense operations per second of one GPU. None where it has no tensor cores for the type."""

    of_16_bits: float
    of_fp8: float | None = None
    of_fp4: float | None = None
    of_int8: float | None = None

    def __mul__(self, share: float) -> "PeakFlops":
        def times(value: float | None) -> float | None:
            return None if value is None else value * share

        return PeakFlops(
            of_16_bits=self.of_16_bits * share,
            of_fp8=times(self.of_fp8),
            of_fp4=times(self.of_fp4),
            of_int8=times(self.of_int8),
        )


@cache
def _known_peaks() -> dict[str, PeakFlops]:
    gpus = Fields(read_json_object(PEAKS), where=str(PEAKS)).json_object("teraflops")
    return {gpu: _peak(row, where=f"{PEAKS}: {gpu}") for gpu, row in gpus.items()}


def _peak(row: object, *, where: str) -> PeakFlops:
    fields = Fields(row, where=where)
    read = PeakFlops(
        of_16_bits=fields.required("16", float),
        of_fp8=fields.optional("fp8", float, None),
        of_fp4=fields.optional("fp4", float, None),
        of_int8=fields.optional("int8", float, None),
    )
    fields.end()
    return read * TERA


def peak_flops(instance: InstanceType) -> PeakFlops | None:
    """Return the peak of one GPU of the type, or None for a GPU without a known datasheet.

    A part of a GPU (g6f) has the same part of its peak.
    """
    part = FRACTION.fullmatch(instance.gpu)
    name, share = (part[1], int(part[2]) / int(part[3])) if part else (instance.gpu, 1.0)
    found = _known_peaks().get(name)
    return None if found is None else found * share
