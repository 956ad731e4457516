"""Reads the formats of NVIDIA's ModelOpt, from config.json or from hf_quant_config.json next to it.

Sources: vLLM layers/quantization/modelopt.py, utils/torch_utils.py (get_kv_cache_quant_algo_string) and
transformers_utils/model_arch_config_convertor.py in the wheels of 0.11 to 0.32.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object
from vllm_eks.planner.models.quantization import Quantization

NVFP4_GROUP = 16
MXFP8_GROUP = 32
FP8_BLOCK = (128, 128)
SEPARATE_FILE_ALGORITHMS = ("FP8", "FP8_PER_CHANNEL_PER_TOKEN", "FP8_PB_WO", "NVFP4")
"""What vLLM accepts from hf_quant_config.json (model_arch_config_convertor.py, _normalize_quantization_config)."""


def modelopt_method(section: Mapping[str, Any]) -> str:
    """Return `modelopt` for a section that names ModelOpt as its producer, or an empty text.

    Raises:
        WrongQuestion: vLLM does not accept its algorithm from such a section.
    """
    inner: object = section.get("quantization")
    if not is_object(inner):
        return ""
    producer: object = section.get("producer")
    legacy = "modelopt_quant_config" in inner
    if not (legacy or (is_object(producer) and producer.get("name") == "modelopt")):
        return ""
    algorithm = str(inner.get("quant_algo") or "").upper()
    if algorithm and algorithm not in SEPARATE_FILE_ALGORITHMS:
        raise WrongQuestion(
            f"vLLM does not accept quant_algo {algorithm} of hf_quant_config.json: it accepts "
            f"{', '.join(SEPARATE_FILE_ALGORITHMS)}"
        )
    return "modelopt" if algorithm else ""


def parse_modelopt(section: Mapping[str, Any]) -> Quantization:
    """Return the format of a ModelOpt section, whichever file it is from.

    Raises:
        WrongQuestion: vLLM does not have the algorithm.
    """
    inner: Mapping[str, Any] = section.get("quantization") or section
    algorithm = str(inner.get("quant_algo") or "").upper()
    # vLLM also requires kv_cache_quant_algo and exclude_modules here, but null and empty ones are not in lock files.
    if "quantization" in section and "NVFP4" in algorithm and "group_size" not in inner:
        raise WrongQuestion(f"vLLM refuses quant_algo {algorithm} of hf_quant_config.json without group_size: add it")
    ignored = _names(inner.get("ignore") or inner.get("exclude_modules") or section.get("ignore"))
    cache = _kv_cache_dtype(section, inner)
    if algorithm != "MIXED_PRECISION":
        scheme, group = _scheme(algorithm), inner.get("group_size")
        if scheme.method == "modelopt_fp4" and isinstance(group, int) and group > 0:
            scheme = replace(scheme, group_size=group)
        return replace(scheme, ignored=ignored, kv_cache_dtype=cache)
    layers: Mapping[str, Mapping[str, Any]] = inner.get("quantized_layers") or {}
    by_algorithm: dict[str, dict[str, None]] = {}
    for name, layer in layers.items():
        # All experts of a layer have one format, so their common name is enough.
        module = re.sub(r"\.experts\.\d+\..*", ".experts", name)
        by_algorithm.setdefault(str(layer["quant_algo"]).upper(), {})[module] = None
    if not by_algorithm:
        raise WrongQuestion("modelopt with MIXED_PRECISION needs quantized_layers")
    schemes = [replace(_scheme(name), targets=tuple(of)) for name, of in by_algorithm.items()]
    return replace(
        schemes[0], method="modelopt_mixed", ignored=ignored, others=tuple(schemes[1:]), kv_cache_dtype=cache
    )


def _scheme(algorithm: str) -> Quantization:
    schemes = {
        "FP8": Quantization(method="modelopt", weight_bits=8, has_static_scales=True),
        "FP8_PER_CHANNEL_PER_TOKEN": Quantization(method="modelopt", weight_bits=8),
        "FP8_PB_WO": Quantization(method="modelopt", weight_bits=8, block=FP8_BLOCK),
        "FP8_BLOCK_SCALES": Quantization(method="modelopt", weight_bits=8, block=FP8_BLOCK),
        "NVFP4": Quantization(method="modelopt_fp4", weight_bits=4, group_size=NVFP4_GROUP, scale_bytes=1),
        "W4A16_NVFP4": Quantization(method="modelopt_fp4", weight_bits=4, group_size=NVFP4_GROUP, scale_bytes=1),
        "MXFP8": Quantization(method="modelopt_mxfp8", weight_bits=8, group_size=MXFP8_GROUP, scale_bytes=1),
    }
    if algorithm not in schemes:
        raise WrongQuestion(
            f"modelopt with quant_algo {algorithm!r} is not supported: {', '.join(schemes)} and MIXED_PRECISION are"
        )
    return replace(schemes[algorithm], stores_kv_scales=True)


def _kv_cache_dtype(section: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    """Return the KV cache dtype of get_kv_cache_quant_algo_string in vLLM's utils/torch_utils.py."""
    for place in (inner, section):
        scheme: object = place.get("kv_cache_scheme")
        if is_object(scheme):
            return "fp8_e4m3" if _is_static_fp8(scheme) else "auto"
    algorithm = str(inner.get("kv_cache_quant_algo") or section.get("kv_cache_quant_algo") or "")
    return "fp8_e4m3" if algorithm.upper() == "FP8" else "auto"


def _is_static_fp8(scheme: Mapping[str, Any]) -> bool:
    return scheme.get("dynamic") is False and scheme.get("num_bits") == 8 and scheme.get("type") == "float"


def _names(value: Any) -> tuple[str, ...]:  # noqa: ANN401  (JSON)
    return tuple(str(name) for name in value) if value else ()
