"""The quantization of a checkpoint's linear layers.

Sources: the classes in vllm/model_executor/layers/quantization (get_min_capability, create_weights) in the wheels of
vLLM 0.10 to 0.33.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object

MARLIN_OUTPUT_TILE = 64
MARLIN_INPUT_TILE = 128
MAX_BITS = 16
MXFP4_GROUP = 32
NVFP4_GROUP = 16
BITSANDBYTES_BLOCK = 64
"""Values that share one absolute maximum in bitsandbytes' 4-bit format."""


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """The format of the quantized linear layers. All other layers are 16-bit."""

    method: str
    """vLLM's name: compressed-tensors, fp8, auto_awq, auto_gptq, or `none` for 16-bit checkpoints."""
    weight_bits: int = 16
    group_size: int | None = None
    """Input values that share one scale, or None for one scale per channel or per `block`."""
    block: tuple[int, int] | None = None
    """FP8 block scales: (output, input) values that share one scale."""
    is_float: bool = True
    has_zero_points: bool = False
    scale_bytes: float = 2
    """Bytes of one scale: 16-bit, or 8-bit for the micro-scaled 4-bit floats."""
    experts_only: bool = False
    """MXFP4 in gpt-oss: only the routed experts are quantized."""
    ignored: tuple[str, ...] = field(default=())
    """Modules that stay 16-bit: names, globs or `re:` patterns."""

    @property
    def is_quantized(self) -> bool:
        """Whether any layer is stored in fewer than 16 bits."""
        return self.weight_bits < 16

    @property
    def is_fp8(self) -> bool:
        """Whether the weights are 8-bit floats."""
        return self.is_float and self.weight_bits == 8

    @property
    def uses_marlin(self) -> bool:
        """Whether vLLM runs the layers through its integer weight-only kernels."""
        return not self.is_float and self.weight_bits in (4, 8) and self.is_quantized

    def covers(self, module: str) -> bool:
        """Return whether the module with this name (such as `layers.0.self_attn.q_proj`) is quantized."""
        if not self.is_quantized or (self.experts_only and ".experts." not in module):
            return False
        return not any(_matches(pattern, module) for pattern in self.ignored)

    def bytes_per_parameter(self) -> float:
        """Return the stored bytes per parameter of a quantized layer, with scales and zero points."""
        stored = self.weight_bits / 8
        if self.block:
            return stored + 4 / (self.block[0] * self.block[1])
        if self.group_size:
            zero_point_bytes = self.weight_bits / 8 if self.has_zero_points else 0
            return stored + (self.scale_bytes + zero_point_bytes) / self.group_size
        return stored


NONE = Quantization(method="none")


def _matches(pattern: str, module: str) -> bool:
    if pattern.startswith("re:"):
        return re.match(pattern[3:], module) is not None
    if "*" in pattern:
        return fnmatch(module, pattern) or fnmatch(module, pattern + ".*")
    # Multimodal checkpoints prefix the decoder's modules with `language_model.`.
    names = (pattern, pattern.removeprefix("language_model."))
    return any(name == module or module.endswith("." + name) or module.startswith(name + ".") for name in names)


def parse_quantization(config: Mapping[str, Any]) -> Quantization:
    """Return the quantization that a config.json's `quantization_config` describes.

    Raises:
        WrongQuestion: The planner does not support the method, or the section is invalid.
    """
    section: object = config.get("quantization_config") or config.get("compression_config")
    if not section:
        return NONE
    if not is_object(section):
        raise WrongQuestion(f"quantization_config {section!r} is not a JSON object")
    method = str(section.get("quant_method", ""))
    parse_method = _METHODS.get(method)
    if parse_method is None:
        raise WrongQuestion(
            f"quantization method {method or section!r} is not supported; supported methods: {', '.join(_METHODS)}"
        )
    try:
        parsed = parse_method(section)
    except WrongQuestion:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise WrongQuestion(f"the quantization_config of {method} has a missing or invalid field: {error}") from None
    if not 1 <= parsed.weight_bits <= MAX_BITS or (parsed.block and min(parsed.block) < 1):
        raise WrongQuestion(
            f"the quantization_config of {method} has invalid sizes: {parsed.weight_bits} bits, block {parsed.block}"
        )
    return parsed


def _fp8(section: Mapping[str, Any]) -> Quantization:
    block = section.get("weight_block_size")
    return Quantization(
        method="fp8",
        weight_bits=8,
        block=(int(block[0]), int(block[1])) if block else None,
        ignored=_names(section.get("modules_to_not_convert") or section.get("ignored_layers")),
    )


def _fbgemm_fp8(section: Mapping[str, Any]) -> Quantization:
    return Quantization(method="fbgemm_fp8", weight_bits=8, ignored=_names(section.get("modules_to_not_convert")))


def _awq_or_gptq(section: Mapping[str, Any]) -> Quantization:
    method, group = str(section["quant_method"]), int(section.get("group_size", 128))
    return Quantization(
        method="auto_awq" if "awq" in method else "auto_gptq",
        weight_bits=int(section.get("bits", section.get("w_bit", 4))),
        group_size=group if group > 0 else None,
        is_float=False,
        has_zero_points="awq" in method or not section.get("sym", True),
        ignored=("lm_head", *_names(section.get("modules_to_not_convert"))),
    )


def _mxfp4(section: Mapping[str, Any]) -> Quantization:
    return Quantization(
        method="mxfp4",
        weight_bits=4,
        group_size=MXFP4_GROUP,
        scale_bytes=1,
        experts_only=True,
        ignored=_names(section.get("modules_to_not_convert")),
    )


def _modelopt(section: Mapping[str, Any]) -> Quantization:
    inner: Mapping[str, Any] = section.get("quantization") or {}
    algorithm = str(section.get("quant_algo") or inner.get("quant_algo") or "")
    ignored = _names(section.get("ignore") or section.get("exclude_modules"))
    if algorithm == "FP8":
        return Quantization(method="modelopt", weight_bits=8, ignored=ignored)
    if algorithm == "NVFP4":
        return Quantization(
            method="modelopt_fp4", weight_bits=4, group_size=NVFP4_GROUP, scale_bytes=1, ignored=ignored
        )
    raise WrongQuestion(f"modelopt with quant_algo {algorithm!r} is not supported: FP8 and NVFP4 are")


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
    groups: Mapping[str, Mapping[str, Any]] = section.get("config_groups") or {}
    weights: list[Mapping[str, Any]] = [group["weights"] for group in groups.values() if group.get("weights")]
    if not weights:
        raise WrongQuestion("compressed-tensors without config_groups.*.weights is not supported")
    if len({(w.get("num_bits"), w.get("group_size"), w.get("type")) for w in weights}) > 1:
        raise WrongQuestion("compressed-tensors with several weight schemes in one checkpoint is not supported")
    scheme = weights[0]
    block: Sequence[Any] | None = scheme.get("block_structure")
    return Quantization(
        method="compressed-tensors",
        weight_bits=int(scheme["num_bits"]),
        group_size=int(scheme["group_size"]) if scheme.get("group_size") else None,
        block=(int(block[0]), int(block[1])) if isinstance(block, list) else None,
        is_float=scheme.get("type") == "float",
        # NVFP4 has 8-bit scales for groups of 16.
        scale_bytes=1 if scheme.get("type") == "float" and scheme["num_bits"] == 4 else 2,
        has_zero_points=not scheme.get("symmetric", True),
        ignored=_names(section.get("ignore")),
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
    "auto_gptq": _awq_or_gptq,
    "compressed-tensors": _compressed_tensors,
    "mxfp4": _mxfp4,
    "modelopt": _modelopt,
    "modelopt_fp4": _modelopt,
    "bitsandbytes": _bitsandbytes,
}
