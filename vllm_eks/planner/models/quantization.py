"""The quantization of a checkpoint's linear layers.

Sources: the classes in vllm/model_executor/layers/quantization (get_min_capability, create_weights) in the wheels of
vLLM 0.10 to 0.33.
"""

import re
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache

MARLIN_OUTPUT_TILE = 64
MARLIN_INPUT_TILE = 128
BYTES_PER_16BIT = 2


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
    targets: tuple[str, ...] = ()
    """Modules that have this format, in the form of `ignored`. Empty means all."""
    ignored: tuple[str, ...] = field(default=())
    """Modules that stay 16-bit: names, globs or `re:` patterns."""
    others: tuple["Quantization", ...] = ()
    """Formats of other modules in the same checkpoint, each with its targets. The first that matches wins."""
    kv_cache_dtype: str = "auto"
    """The KV cache dtype that the checkpoint sets, or `auto` if it sets none."""
    has_static_scales: bool = False
    """Whether weights and inputs have one scale each per matrix, which is in the checkpoint (ModelOpt's FP8)."""
    stores_kv_scales: bool = False
    """Whether vLLM creates scales of the KV cache, which exclude fp8_e5m2."""

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

    def of(self, module: str) -> "Quantization | None":
        """Return the format of the module with this name (such as `layers.0.self_attn.q_proj`), or None for 16-bit."""
        if not self.is_quantized or _names_module(self.ignored, module):
            return None
        for other in self.others:
            if _names_module(other.targets, module):
                return other if other.is_quantized else None
        if self.experts_only and ".experts." not in module:
            return None
        return self if not self.targets or _names_module(self.targets, module) else None

    def names_layer(self, index: int) -> bool:
        """Return whether a layer is named, so that it may differ from the others."""
        names = (*self.ignored, *self.targets, *(target for other in self.others for target in other.targets))
        return any(f"layers.{index}." in name for name in names)

    def covers(self, module: str) -> bool:
        """Return whether the module with this name is quantized."""
        return self.of(module) is not None

    def bytes_of(self, module: str) -> float:
        """Return the stored bytes per parameter of the module with this name."""
        found = self.of(module)
        return BYTES_PER_16BIT if found is None else found.bytes_per_parameter()

    def bytes_per_parameter(self) -> float:
        """Return the stored bytes per parameter of a quantized layer, with scales and zero points."""
        stored = self.weight_bits / 8
        if self.block:
            return stored + 4 / (self.block[0] * self.block[1])
        if self.group_size and self.group_size > 0:  # -1: a scale for each channel
            zero_point_bytes = self.weight_bits / 8 if self.has_zero_points else 0
            return stored + (self.scale_bytes + zero_point_bytes) / self.group_size
        return stored


NONE = Quantization(method="none")


@dataclass(frozen=True, kw_only=True)
class _Names:
    """Names of modules, and patterns of them, compiled: a comparison of instance types asks a million times."""

    plain: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]


@lru_cache(maxsize=256)
def _compiled(names: tuple[str, ...]) -> _Names:
    """Return plain names and patterns, also without the prefixes of multimodal checkpoints."""
    spelled = dict.fromkeys(names)
    for mark in ("", "re:"):
        for prefix, instead in ((f"{mark}language_model.", mark), (f"{mark}model.language_model.", f"{mark}model.")):
            spelled |= {instead + name.removeprefix(prefix): None for name in names if name.startswith(prefix)}
    expressions = [name.removeprefix("re:") for name in spelled if name.startswith("re:")]
    globs = [name for name in spelled if "*" in name and not name.startswith("re:")]
    if globs:  # as one expression, because some checkpoints have 150 of them
        expressions.append("|".join(translate(form) for name in globs for form in (name, name + ".*")))
    plain = (name for name in spelled if "*" not in name and not name.startswith("re:"))
    return _Names(plain=frozenset(plain), patterns=tuple(re.compile(one) for one in expressions))


def _names_module(names: tuple[str, ...], module: str) -> bool:
    """Return whether one of the names is the module, the end of its name or a module around it, or matches it."""
    found = _compiled(names)
    parts = module.split(".")
    ends = (".".join(parts[start:]) for start in range(len(parts)))
    around = (".".join(parts[:stop]) for stop in range(1, len(parts)))
    if any(name in found.plain for name in ends) or any(name in found.plain for name in around):
        return True
    return any(pattern.match(module) for pattern in found.patterns)
