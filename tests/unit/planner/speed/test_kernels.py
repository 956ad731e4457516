"""Which kernels run a number format, and what they can reach."""

import pytest

from vllm_eks.planner.hardware.peaks import PeakFlops
from vllm_eks.planner.models.quantization import NONE, Quantization
from vllm_eks.planner.speed.kernels import bandwidth_of, kernel_of, peak_of, width_of

FP8 = Quantization(method="fp8", weight_bits=8)
INT8 = Quantization(method="compressed-tensors", weight_bits=8, is_float=False)
AWQ = Quantization(method="auto_awq", weight_bits=4, is_float=False)
NVFP4 = Quantization(method="modelopt_fp4", weight_bits=4)
MXFP4 = Quantization(method="mxfp4", weight_bits=4)
B200 = PeakFlops(of_16_bits=2250e12, of_fp8=4500e12, of_fp4=9000e12)


@pytest.mark.parametrize(
    ("quantization", "sm", "kernel"),
    [
        (None, 90, "16-bit"),
        (NONE, 90, "16-bit"),
        (FP8, 89, "fp8"),
        (FP8, 80, "4-bit"),
        (INT8, 80, "fp8"),
        (AWQ, 100, "4-bit"),
        (NVFP4, 100, "fp4"),
        (NVFP4, 90, "4-bit"),
        (MXFP4, 100, "fp8"),
        (MXFP4, 90, "4-bit"),
    ],
)
def test_the_format_and_the_gpu_decide_the_kernels(quantization: Quantization | None, sm: int, kernel: str) -> None:
    assert kernel_of(quantization, sm) == kernel


def test_kernels_compute_with_the_peak_of_their_arithmetic() -> None:
    assert peak_of("16-bit", B200) == 2250e12
    assert peak_of("fp8", B200) == 4500e12
    assert peak_of("fp4", B200) == 9000e12
    assert peak_of("fp8", PeakFlops(of_16_bits=312e12, of_int8=624e12)) == 624e12


def test_weight_only_kernels_gain_nothing_from_a_b200() -> None:
    assert (peak_of("4-bit", B200), bandwidth_of("4-bit", 8e12)) == (989e12, 4.8e12)
    assert (bandwidth_of("16-bit", 8e12), bandwidth_of("4-bit", 3e11)) == (8e12, 3e11)


def test_kernels_that_widen_4_bit_values_read_them_more_slowly_but_not_those_of_fp4_experts() -> None:
    matrices = [width_of(kernel, of_experts=False) for kernel in ("16-bit", "fp8", "4-bit", "fp4")]
    experts = [width_of(kernel, of_experts=True) for kernel in ("16-bit", "fp8", "4-bit", "fp4")]

    assert matrices == ["8-bit and wider", "8-bit and wider", "4-bit", "4-bit"]
    assert experts == ["8-bit and wider", "8-bit and wider", "4-bit", "8-bit and wider"]
