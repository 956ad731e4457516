"""Formats and the GPUs that run them: get_min_capability of vLLM's classes, by version."""

import pytest

from vllm_eks.planner.engine.quantized_gpus import scheme_errors
from vllm_eks.planner.models.modelopt import parse_modelopt
from vllm_eks.planner.models.quantization import NONE, Quantization
from vllm_eks.planner.vllm_version import Version

FP8 = Quantization(method="fp8", weight_bits=8)
FBGEMM = Quantization(method="fbgemm_fp8", weight_bits=8)
MODELOPT = Quantization(method="modelopt", weight_bits=8)
NVFP4 = Quantization(method="modelopt_fp4", weight_bits=4, group_size=16, scale_bytes=1)
MXFP8 = Quantization(method="modelopt_mxfp8", weight_bits=8, group_size=32, scale_bytes=1)
INTEGERS = Quantization(method="compressed-tensors", weight_bits=4, group_size=128, is_float=False)
FLOATS = Quantization(method="compressed-tensors", weight_bits=8)
MIXED = parse_modelopt(
    {
        "quant_method": "modelopt",
        "quant_algo": "MIXED_PRECISION",
        "quantized_layers": {
            "model.layers.0.mlp": {"quant_algo": "FP8"},
            "model.layers.1.mlp": {"quant_algo": "NVFP4", "group_size": 16},
        },
    }
)


@pytest.mark.parametrize(
    ("scheme", "sm", "before", "since"),
    [
        (FP8, 75, (0, 13, 0), (0, 14, 0)),
        (MODELOPT, 86, (0, 26, 0), (0, 27, 0)),
        (NVFP4, 75, (0, 13, 0), (0, 14, 0)),
        (MXFP8, 90, (0, 19, 1), (0, 20, 0)),
        (MIXED, 80, (0, 23, 0), (0, 24, 0)),
        (INTEGERS, 75, (0, 11, 2), (0, 12, 0)),
        (FLOATS, 75, (0, 15, 1), (0, 16, 0)),
    ],
)
def test_a_format_runs_on_older_gpus_since_a_version(
    scheme: Quantization, sm: int, before: Version, since: Version
) -> None:
    (error,) = scheme_errors(scheme, sm, before)
    assert error.endswith(f"or higher, not {{gpu}} (vLLM {since[0]}.{since[1]} runs them)")
    assert list(scheme_errors(scheme, sm, since)) == []


def test_some_formats_run_on_old_gpus_in_no_version() -> None:
    assert list(scheme_errors(FBGEMM, 75, (0, 32, 0))) == [
        "fbgemm_fp8 weights need compute capability 8.0 or higher, not {gpu}"
    ]
    assert list(scheme_errors(MODELOPT, 75, (0, 32, 0))) == [
        "modelopt weights need compute capability 8.0 or higher, not {gpu}"
    ]
    assert list(scheme_errors(Quantization(method="auto_awq", weight_bits=4, is_float=False), 70, (0, 32, 0))) == [
        "auto_awq weights need compute capability 7.5 or higher, not {gpu}"
    ]
    assert list(scheme_errors(NONE, 70, (0, 10, 2))) == []
