"""Peak operations of the GPUs."""

import json

from vllm_eks.planner.hardware.instances import catalogue, find_instance
from vllm_eks.planner.hardware.peaks import PEAKS, peak_flops


def test_every_gpu_of_the_catalogue_has_a_peak() -> None:
    assert [name for name, instance in catalogue().items() if peak_flops(instance) is None] == []


def test_every_peak_has_its_source() -> None:
    found = json.loads(PEAKS.read_text())

    assert list(found["sources"]) == list(found["teraflops"])
    assert all(len(source) > 30 for source in found["sources"].values())


def test_a_part_of_a_gpu_has_its_part_of_the_peak() -> None:
    whole, part = (peak_flops(find_instance(name)) for name in ("g6.xlarge", "g6f.xlarge"))
    assert whole is not None
    assert part is not None

    assert part.of_16_bits == whole.of_16_bits / 8
    assert (part.of_fp8, part.of_fp4) == (242e12 / 8, None)
