"""Which vLLM releases and GPU generations run a quantization format.

Sources: get_min_capability of the classes in vllm/model_executor/layers/quantization (fp8, fbgemm_fp8, modelopt, mxfp4
and compressed_tensors/schemes) in the wheels of 0.10.2 to 0.32.0.
"""

from collections.abc import Iterator

from vllm_eks.planner.models.quantization import Quantization
from vllm_eks.planner.vllm_version import Version

REMOVED_METHODS: dict[str, Version] = {"bitsandbytes": (0, 28, 0), "gptq_marlin_24": (0, 16, 0)}
"""The first version without the method (0.27.1 and 0.15.1 have them)."""
INTRODUCED_METHODS: dict[str, Version] = {"modelopt_mixed": (0, 17, 0), "modelopt_mxfp8": (0, 16, 0)}
"""The first version with the method (0.16.0 and 0.15.1 lack them)."""
OLDEST: Version = (0, 0, 0)
LOWEST_SM = 75
LOWEST_SMS: dict[str, tuple[tuple[Version, int], ...]] = {
    "fp8": (((0, 14, 0), 75), (OLDEST, 80)),
    "fbgemm_fp8": ((OLDEST, 80),),
    "mxfp4": ((OLDEST, 80),),
    "modelopt": (((0, 27, 0), 80), (OLDEST, 89)),
    "modelopt_fp4": (((0, 14, 0), 75), (OLDEST, 80)),
    "modelopt_mxfp8": (((0, 20, 0), 80), (OLDEST, 100)),
    "modelopt_mixed": (((0, 24, 0), 75), (OLDEST, 89)),
    "compressed-tensors integers": (((0, 12, 0), 75), (OLDEST, 80)),
    "compressed-tensors floats": (((0, 16, 0), 75), (OLDEST, 80)),
}
"""The lowest compute capability, times ten, since a version. The newest row comes first."""


def scheme_errors(quantization: Quantization, sm: int, version: Version) -> Iterator[str]:
    """Yield why a checkpoint's formats do not run on this GPU or with this version. `{gpu}` is the GPU."""
    own_classes = quantization.method == "modelopt_mixed"  # one class for all formats
    schemes = (quantization,) if own_classes else (quantization, *quantization.others)
    yield from dict.fromkeys(error for scheme in schemes if (error := _scheme_error(scheme, sm, version)))


def _scheme_error(quantization: Quantization, sm: int, version: Version) -> str | None:
    method = quantization.method
    if method in REMOVED_METHODS and version >= REMOVED_METHODS[method]:
        removed = REMOVED_METHODS[method]
        return f"vLLM {removed[0]}.{removed[1]} removed {method}: use {removed[0]}.{removed[1] - 1}"
    if method in INTRODUCED_METHODS and version < INTRODUCED_METHODS[method]:
        since = INTRODUCED_METHODS[method]
        return f"vLLM has {method} since {since[0]}.{since[1]}"
    if not quantization.is_quantized:
        return None
    rows = LOWEST_SMS.get(_format(quantization), ((OLDEST, LOWEST_SM),))
    lowest = next(capability for since, capability in rows if version >= since)
    if sm >= lowest:
        return None
    if method == "mxfp4":
        return "MXFP4 weights need bfloat16, which {gpu} lacks"
    later = next((f" (vLLM {since[0]}.{since[1]} runs them)" for since, capability in rows if sm >= capability), "")
    return f"{method} weights need compute capability {lowest // 10}.{lowest % 10} or higher, not {{gpu}}{later}"


def _format(quantization: Quantization) -> str:
    if quantization.method != "compressed-tensors":
        return quantization.method
    if quantization.is_float:
        return "compressed-tensors floats"
    return "compressed-tensors integers" if quantization.uses_marlin else "compressed-tensors"
