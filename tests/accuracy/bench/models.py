"""The model of a benchmark row: a lock file's, in the number format of the row."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import ModelFacts, find_model, locked_model_ids

FORMATS: Mapping[str, Mapping[str, Any] | None] = {
    "bf16": None,
    "fp16": None,
    "fp8": {"quant_method": "fp8", "activation_scheme": "dynamic"},
    "int4": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True},
    "w8a16": {"quant_method": "gptq", "bits": 8, "group_size": 128, "sym": True},
    "w8a8-int8": {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "int"}}},
        "ignore": ["lm_head"],
    },
    "nvfp4": {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]},
    "mxfp4": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
}
"""quantization_config of each format. None: 16-bit weights."""
LIKE = (
    ("mxfp4", "mxfp4"),
    ("fp4", "nvfp4"),
    ("fp8", "fp8"),
    ("w8a16", "w8a16"),
    ("8", "w8a8-int8"),
    ("4", "int4"),
    ("awq", "int4"),
    ("gptq", "int4"),
)
"""What a source's own word for a format contains, and the format."""
NAME_WORDS = re.compile(
    r"[-_.](instruct|chat|it|hf|fp8|awq|gptq|int4|int8|nvfp4|fp4|mxfp4|bf16|w4a16|w8a8|dynamic|quantized|base|v0\.\d|\d{4})"
    r"(?=[-_.]|$)"
)
SAME_SHAPE = 0.002
"""A model of a lock file's size up to this share has its shape: Llama 3 70B is Llama 3.1 70B."""
SAME_SIZE = 0.12
"""Two models are about as large within this share."""


@dataclass(frozen=True, kw_only=True)
class RowModel:
    """A model, and its size over that of the lock file that is taken for it."""

    facts: ModelFacts
    scale: float
    lock: str
    is_same: bool
    """Whether the lock file is that of the model, in whatever number format."""


def plain_name(name: str) -> str:
    """Return a model's name without organization, format and kind of tuning."""
    return NAME_WORDS.sub("", name.split("/")[-1].lower().removeprefix("meta-"))


def model_of(name: str, dtype: str, params_b: float, experts: int) -> RowModel:
    """Return the locked model with this name, else the one with the nearest size and name, in this number format."""
    known = next((form for part, form in LIKE if part in dtype.lower()), "bf16") if dtype not in FORMATS else dtype
    return _model(name, known, round(params_b, 2), experts)


@cache
def _model(name: str, dtype: str, params_b: float, experts: int) -> RowModel:
    ids = locked_model_ids()
    own = plain_name(name)
    exact = sorted((one for one in ids if plain_name(one) == own), key=lambda one: one != name)
    same = [one for one in ids if _experts(one) == experts]
    of_kind = same or [one for one in ids if bool(_experts(one)) == bool(experts)]

    def distance(one: str) -> tuple[float, float]:
        ratio = _billions(one) / params_b
        away = max(ratio, 1 / ratio) - 1
        likeness = SequenceMatcher(None, plain_name(one), own).ratio()
        return (0.0 if away < SAME_SIZE else away, -likeness)

    candidates = exact or [min(of_kind, key=distance)]
    native = [one for one in candidates if _has_format(find_model(one), dtype)]
    chosen = (native or candidates)[0]
    facts = find_model(chosen)
    scale = params_b / _billions(chosen) if not exact else 1.0
    return RowModel(
        facts=facts if native else _in_format(facts, dtype),
        scale=scale,
        lock=chosen,
        is_same=bool(exact) or abs(scale - 1) < SAME_SHAPE,
    )


@cache
def _experts(model_id: str) -> int:
    experts = find_model(model_id).architecture.experts
    return experts.count if experts else 0


def _billions(model_id: str) -> float:
    return find_model(model_id).parts.parameters / 1e9


def _has_format(facts: ModelFacts, dtype: str) -> bool:
    quantization = facts.architecture.quantization
    formats = {
        "fp8": quantization.is_fp8,
        "int4": quantization.weight_bits == 4 and not quantization.is_float,
        "nvfp4": quantization.weight_bits == 4 and quantization.is_float and quantization.method != "mxfp4",
        "mxfp4": quantization.method == "mxfp4",
    }
    return formats.get(dtype, not quantization.is_quantized and dtype in ("bf16", "fp16"))


def _in_format(facts: ModelFacts, dtype: str) -> ModelFacts:
    config = _without_format(facts.config)
    section = FORMATS[dtype]
    if section is not None:
        config["quantization_config"] = dict(section)
    try:
        architecture = parse_config(config, where=facts.id)
    except WrongQuestion:
        return facts  # a model of several formats, which another one cannot replace
    return ModelFacts(
        id=facts.id,
        revision=None,
        gated=False,
        architecture=architecture,
        weights_source="computed",
        known_weights_bytes=None,
        config=config,
    )


def _without_format(config: Mapping[str, Any]) -> dict[str, Any]:
    inner = {key: _without_format(value) if key == "text_config" else value for key, value in config.items()}
    return {key: value for key, value in inner.items() if key != "quantization_config"}
