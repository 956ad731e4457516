"""Classes of matrix kernels: which one runs a weight, and the arithmetic that it uses."""

from typing import Literal

from vllm_eks.planner.hardware.peaks import PeakFlops
from vllm_eks.planner.models.quantization import Quantization

Kernel = Literal["16-bit", "fp8", "4-bit", "fp4"]
"""`16-bit`: weights as stored. `fp8`: weights and activations in 8 bits. `4-bit`: weight-only, computed in 16 bits,
also FP8 weights on GPUs without FP8 arithmetic (Marlin). `fp4`: weights and activations in 4-bit floats."""

MOST_WEIGHT_ONLY_FLOPS, MOST_WEIGHT_ONLY_BYTES_PER_SECOND = 989e12, 4.8e12
"""Those of an H200. Marlin does not use the tensor cores of B200: Kimi K2.5 in int4 is as fast on both (InferenceX)."""
FP8_SINCE_SM = 89
FP4_SINCE_SM = 100
"""gpt-oss's MXFP4 weights run with FP8 activations there (FlashInfer's MXFP4 x MXFP8 kernels)."""


def kernel_of(quantization: Quantization | None, sm: int) -> Kernel:
    """Return the class of kernels that runs weights of this format, or 16-bit ones, on GPUs of this capability."""
    if quantization is None or not quantization.is_quantized:
        return "16-bit"
    if quantization.weight_bits == 8:
        is_native = sm >= FP8_SINCE_SM if quantization.is_float else quantization.method == "compressed-tensors"
        return "fp8" if is_native else "4-bit"
    if quantization.is_float and sm >= FP4_SINCE_SM:
        return "fp8" if quantization.method == "mxfp4" else "fp4"
    return "4-bit"


def peak_of(kernel: Kernel, peaks: PeakFlops) -> float:
    """Return the peak operations per second that kernels of this class can reach."""
    match kernel:
        case "fp8":
            return peaks.of_fp8 or peaks.of_int8 or peaks.of_16_bits
        case "fp4":
            return peaks.of_fp4 or peaks.of_16_bits
        case "4-bit":
            return min(peaks.of_16_bits, MOST_WEIGHT_ONLY_FLOPS)
        case "16-bit":
            return peaks.of_16_bits


def width_of(kernel: Kernel, *, of_experts: bool) -> str:
    """Return the class of memory efficiency. Kernels that unpack 4-bit values read them more slowly.

    Those for FP4 experts on Blackwell do not (Kimi K2.5 in NVFP4, InferenceX).
    """
    is_narrow = kernel == "4-bit" or (kernel == "fp4" and not of_experts)
    return "4-bit" if is_narrow else "8-bit and wider"


def bandwidth_of(kernel: Kernel, bytes_per_second: float) -> float:
    """Return the memory bandwidth that kernels of this class can use."""
    return min(bytes_per_second, MOST_WEIGHT_ONLY_BYTES_PER_SECOND) if kernel == "4-bit" else bytes_per_second
