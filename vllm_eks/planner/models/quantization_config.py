"""Reads the quantization of a checkpoint from config.json or from ModelOpt's hf_quant_config.json next to it.

Sources: the classes in vllm/model_executor/layers/quantization (from_config, get_quant_method), config/model.py and
transformers_utils/config.py (get_config) in the wheels of vLLM 0.10 to 0.32.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object, object_or_empty
from vllm_eks.planner.models.modelopt import modelopt_method, parse_modelopt
from vllm_eks.planner.models.quantization import NONE, Quantization

QUANTIZATION_FILE = "hf_quant_config.json"
"""ModelOpt's file next to config.json, which vLLM reads when config.json has no quantization_config."""
SEPARATE_QUANTIZATION = "hf_quant_config"
"""The key under which the planner keeps that file's content in a config."""
EXPERT_DTYPE = "expert_dtype"
"""The field with the type of DeepSeek V4's experts, outside its section of FP8 (models/deepseek_v4/quant_config.py)."""
MXFP4_GROUP, NVFP4_GROUP = 32, 16
BITSANDBYTES_BLOCK = 64
"""Values that share one absolute maximum in bitsandbytes' 4-bit format."""
MARLIN_24_BITS = 3
"""2:4 sparse 4-bit weights: half the values (2 bits per value) and two bits of position for each pair (1)."""


def parse_quantization(config: Mapping[str, Any]) -> Quantization:
    """Return the quantization that a config.json's `quantization_config` describes.

    Args:
        config: The document, with the content of `hf_quant_config.json` under SEPARATE_QUANTIZATION.

    Raises:
        WrongQuestion: The planner does not support the method, or the section is invalid.
    """
    found = config.get("quantization_config") or config.get(SEPARATE_QUANTIZATION) or config.get("compression_config")
    section = _without_nulls(object_or_empty(found))
    if not section:
        return NONE
    method = _method(section)
    if not method and found is config.get(SEPARATE_QUANTIZATION):
        return NONE  # vLLM ignores a separate file that does not name ModelOpt as its producer
    if not method:
        raise WrongQuestion("quantization_config needs a quant_method, such as fp8")
    parse_method = _METHODS.get(method)
    if parse_method is None:
        raise WrongQuestion(
            f"quantization method {method!r} is not supported; supported methods: {', '.join(_METHODS)}"
        )
    try:
        parsed = parse_method({**section, "quant_method": method, EXPERT_DTYPE: config.get(EXPERT_DTYPE)})
    except KeyError as error:
        raise WrongQuestion(f"the quantization_config of {method} needs {error.args[0]}") from None
    _check_patterns(parsed, method)
    return parsed


def _check_patterns(parsed: Quantization, method: str) -> None:
    schemes = (parsed, *parsed.others)
    for name in (name for scheme in schemes for name in (*scheme.ignored, *scheme.targets)):
        try:
            re.compile(name.removeprefix("re:") if name.startswith("re:") else "")
        except re.error as error:
            raise WrongQuestion(
                f"the quantization_config of {method} has the name {name!r}, which is no regular expression: {error}"
            ) from None


def _without_nulls(section: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if is_object(value) else value for key, value in section.items() if value is not None
    }


def _method(section: Mapping[str, Any]) -> str:
    """Return the method's name. ModelOpt's separate file has none, and names its producer instead."""
    method = str(section.get("quant_method") or "").lower().replace("compressed_tensors", "compressed-tensors")
    return method or modelopt_method(section)


def _fp8(section: Mapping[str, Any]) -> Quantization:
    block = section.get("weight_block_size")
    return Quantization(
        method="fp8",
        weight_bits=8,
        block=(int(block[0]), int(block[1])) if block else None,
        ignored=_names(section.get("modules_to_not_convert") or section.get("ignored_layers")),
        stores_kv_scales=True,
        others=_fp4_experts(section),
    )


def _fp4_experts(section: Mapping[str, Any]) -> tuple[Quantization, ...]:
    """Return the format of DeepSeek V4's experts, MXFP4 or ModelOpt's NVFP4, or none when they are as the rest."""
    group = NVFP4_GROUP if section.get("moe_quant_algo") == "NVFP4" else MXFP4_GROUP
    if group == MXFP4_GROUP and section.get(EXPERT_DTYPE) != "fp4":
        return ()
    targets = ("*.experts.*",)
    return (Quantization(method="fp8", weight_bits=4, group_size=group, scale_bytes=1, targets=targets),)


def _fbgemm_fp8(section: Mapping[str, Any]) -> Quantization:
    return Quantization(method="fbgemm_fp8", weight_bits=8, ignored=_names(section.get("modules_to_not_convert")))


def _awq_or_gptq(section: Mapping[str, Any]) -> Quantization:
    method, group = str(section["quant_method"]), int(section.get("group_size", 128))
    sparse = method == "gptq_marlin_24" or section.get("checkpoint_format") == "marlin_24"
    return Quantization(
        method="auto_awq" if "awq" in method else "gptq_marlin_24" if sparse else "auto_gptq",
        weight_bits=MARLIN_24_BITS if sparse else int(section.get("bits", section.get("w_bit", 4))),
        group_size=group if group > 0 else None,
        is_float=False,
        has_zero_points="awq" in method or not section.get("sym", True),
        ignored=("lm_head", *_names(section.get("modules_to_not_convert"))),
    )


def _auto_round(section: Mapping[str, Any]) -> Quantization:
    """Return AutoRound's format (inc.py): that of GPTQ or AWQ, with other bits for the layers in `extra_config`."""
    group = int(section.get("group_size", 128))
    packing = str(section.get("packing_format") or "auto_round:auto_gptq")
    base = Quantization(
        method="inc",
        weight_bits=int(section["bits"]),
        group_size=group if group > 0 else None,
        is_float=False,
        has_zero_points="awq" in packing or not section.get("sym", True),
        ignored=("lm_head",),
    )
    extra: Mapping[str, Mapping[str, Any]] = section.get("extra_config") or {}
    others: list[Quantization] = []
    for name, layer in extra.items():
        layer_group = int(layer.get("group_size", group))
        others.append(
            replace(
                base,
                weight_bits=int(layer.get("bits", base.weight_bits)),
                group_size=layer_group if layer_group > 0 else None,
                targets=(_auto_round_pattern(name),),
                ignored=(),
            )
        )
    return replace(base, others=tuple(others))


def _auto_round_pattern(name: str) -> str:
    """Return a name of AutoRound's extra_config, which is a regular expression when it looks like one."""
    return f"re:.*(?:{name})" if any(character in name for character in "*+?^$()[]{}|\\") else name


def _mxfp4(section: Mapping[str, Any]) -> Quantization:
    return Quantization(
        method="mxfp4",
        weight_bits=4,
        group_size=MXFP4_GROUP,
        scale_bytes=1,
        experts_only=True,
        ignored=_names(section.get("modules_to_not_convert")),
    )


def _bitsandbytes(section: Mapping[str, Any]) -> Quantization:
    bits = 4 if section.get("load_in_4bit") or section.get("_load_in_4bit") else 8
    return Quantization(
        method="bitsandbytes",
        weight_bits=bits,
        group_size=BITSANDBYTES_BLOCK if bits == 4 else None,
        scale_bytes=4,
        ignored=("lm_head", *_names(section.get("llm_int8_skip_modules"))),
    )


def _compressed_tensors(section: Mapping[str, Any]) -> Quantization:
    """Return the scheme of the group with the class `Linear`, and the schemes of groups that name their modules."""
    groups: Mapping[str, Mapping[str, Any]] = section.get("config_groups") or {}
    schemes = [_compressed_scheme(group) for group in groups.values() if group.get("weights")]
    if not schemes:
        raise WrongQuestion("compressed-tensors without config_groups.*.weights is not supported")
    general = [scheme for scheme in schemes if not scheme.targets]
    first = general[0] if general else schemes[0]
    return replace(
        first,
        # vLLM compares them with names and regular expressions, so a * of a shell pattern matches nothing.
        ignored=tuple(name for name in _names(section.get("ignore")) if name.startswith("re:") or "*" not in name),
        others=tuple(scheme for scheme in schemes if scheme.targets and scheme is not first),
        kv_cache_dtype="fp8" if section.get("kv_cache_scheme") else "auto",
        stores_kv_scales=bool(section.get("kv_cache_scheme")),
    )


def _compressed_scheme(group: Mapping[str, Any]) -> Quantization:
    scheme: Mapping[str, Any] = group["weights"]
    block: Sequence[Any] | None = scheme.get("block_structure")
    targets = _names(group.get("targets"))
    return Quantization(
        method="compressed-tensors",
        weight_bits=int(scheme["num_bits"]),
        group_size=int(scheme["group_size"]) if scheme.get("group_size") else None,
        block=(int(block[0]), int(block[1])) if isinstance(block, list) else None,
        is_float=scheme.get("type") == "float",
        # NVFP4 has 8-bit scales for groups of 16.
        scale_bytes=1 if scheme.get("type") == "float" and scheme["num_bits"] == 4 else 2,
        has_zero_points=not scheme.get("symmetric", True),
        targets=() if "Linear" in targets else targets,
    )


def _names(value: Any) -> tuple[str, ...]:  # noqa: ANN401  (JSON)
    return tuple(str(name) for name in value) if value else ()


_METHODS: dict[str, Callable[[Mapping[str, Any]], Quantization]] = {
    "fp8": _fp8,
    "fbgemm_fp8": _fbgemm_fp8,
    "awq": _awq_or_gptq,
    "awq_marlin": _awq_or_gptq,
    "auto_awq": _awq_or_gptq,
    "gptq": _awq_or_gptq,
    "gptq_marlin": _awq_or_gptq,
    "gptq_marlin_24": _awq_or_gptq,
    "auto_gptq": _awq_or_gptq,
    "auto-round": _auto_round,
    "inc": _auto_round,
    "compressed-tensors": _compressed_tensors,
    "mxfp4": _mxfp4,
    "modelopt": parse_modelopt,
    "modelopt_fp4": parse_modelopt,
    "modelopt_mixed": parse_modelopt,
    "modelopt_mxfp8": parse_modelopt,
    "bitsandbytes": _bitsandbytes,
}
