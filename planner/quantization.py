"""How a checkpoint stores its linear layers, and which GPUs and shards take that form.

Sources: the classes in vllm/model_executor/layers/quantization (get_min_capability, create_weights), read in the
wheels of vLLM 0.10 to 0.33.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.faults import WrongQuestion

MARLIN_OUTPUT_TILE = 64
MARLIN_INPUT_TILE = 128


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """The stored form of the quantized linear layers; everything else stays 16-bit."""

    method: str
    """vLLM's name: compressed-tensors, fp8, auto_awq, auto_gptq; `none` for 16-bit checkpoints."""
    weight_bits: int = 16
    group_size: int | None = None
    """Input values that share one scale; None is one scale a channel (or a block, below)."""
    block: tuple[int, int] | None = None
    """FP8 block scales: (output, input) values that share one scale."""
    is_float: bool = True
    has_zero_points: bool = False
    ignored: tuple[str, ...] = field(default=())
    """Module names, or `re:` patterns, that stay 16-bit."""

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
        """Return whether a module of this name (say `layers.0.self_attn.q_proj`) is quantized."""
        return self.is_quantized and not any(_matches(pattern, module) for pattern in self.ignored)

    def bytes_per_parameter(self) -> float:
        """Return stored bytes of one parameter of a quantized layer, scales and zero points included."""
        stored = self.weight_bits / 8
        if self.block:
            return stored + 4 / (self.block[0] * self.block[1])
        if self.group_size:
            zero_point_bytes = self.weight_bits / 8 if self.has_zero_points else 0
            return stored + (2 + zero_point_bytes) / self.group_size
        return stored


NONE = Quantization(method="none")


def _matches(pattern: str, module: str) -> bool:
    if pattern.startswith("re:"):
        return re.match(pattern[3:], module) is not None
    return pattern == module or module.endswith("." + pattern) or module.startswith(pattern + ".")


def parse_quantization(config: Mapping[str, Any]) -> Quantization:
    """Return the stored form that a config.json's `quantization_config` describes.

    Raises:
        WrongQuestion: A method whose bytes this planner cannot count; it is named.
    """
    section = config.get("quantization_config") or config.get("compression_config")
    if not section:
        return NONE
    method = str(section.get("quant_method", ""))
    if method == "fp8":
        block = section.get("weight_block_size")
        return Quantization(
            method="fp8",
            weight_bits=8,
            block=(int(block[0]), int(block[1])) if block else None,
            ignored=_names(section.get("modules_to_not_convert") or section.get("ignored_layers")),
        )
    if method in ("awq", "gptq", "awq_marlin", "gptq_marlin", "auto_awq", "auto_gptq"):
        group = int(section.get("group_size", 128))
        return Quantization(
            method="auto_awq" if "awq" in method else "auto_gptq",
            weight_bits=int(section.get("bits", section.get("w_bit", 4))),
            group_size=group if group > 0 else None,
            is_float=False,
            has_zero_points="awq" in method or not section.get("sym", True),
            ignored=("lm_head", *_names(section.get("modules_to_not_convert"))),
        )
    if method == "compressed-tensors":
        return _compressed_tensors(section)
    raise WrongQuestion(f"quantization method {method or section!r} is not one the planner can size")


def _compressed_tensors(section: Mapping[str, Any]) -> Quantization:
    groups = list((section.get("config_groups") or {}).values())
    weights = [group.get("weights") for group in groups if group.get("weights")]
    if not weights:
        raise WrongQuestion("compressed-tensors without config_groups.*.weights cannot be sized")
    if len({(w.get("num_bits"), w.get("group_size"), w.get("type")) for w in weights}) > 1:
        raise WrongQuestion("compressed-tensors with several weight schemes in one checkpoint cannot be sized")
    scheme = weights[0]
    block = scheme.get("block_structure")
    return Quantization(
        method="compressed-tensors",
        weight_bits=int(scheme["num_bits"]),
        group_size=int(scheme["group_size"]) if scheme.get("group_size") else None,
        block=(int(block[0]), int(block[1])) if isinstance(block, list) else None,
        is_float=scheme.get("type") == "float",
        has_zero_points=not scheme.get("symmetric", True),
        ignored=_names(section.get("ignore")),
    )


def _names(value: Any) -> tuple[str, ...]:  # noqa: ANN401  (JSON)
    return tuple(str(name) for name in value) if value else ()
