"""Cut configs of locked models, as folders that vLLM's own classes read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vllm_eks.json_values import is_list, is_object
from vllm_eks.planner.models.quantization_config import QUANTIZATION_FILE, SEPARATE_QUANTIZATION

MODEL_TYPES = {
    "LlamaForCausalLM": "llama",
    "MixtralForCausalLM": "mixtral",
    "Qwen3ForCausalLM": "qwen3",
    "Qwen3MoeForCausalLM": "qwen3_moe",
}
"""What config.json says where a lock file lacks it."""
ROPE = {
    "Qwen3VL": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
    "Qwen3_5": {"rope_type": "default", "mrope_section": [11, 11, 10], "mrope_interleaved": True},
}
"""rope_scaling of config.json, by the start of the architecture's name, where a lock file lacks it."""
READ_BY_VLLM: Mapping[str, Mapping[str, Any]] = {
    "n_routed_experts": {"n_group": 1, "topk_group": 1},
    "index_n_heads": {"index_topk": 2048},
}
"""Field of a decoder -> fields that vLLM reads with it, with the values of the published models."""
READ_BY_CLASS: Mapping[str, Mapping[str, Any]] = {
    "MiniMaxM2": {"scoring_func": "sigmoid", "use_routing_bias": True, "rotary_dim": 64},
    "GlmMoeDsa": {"indexer_rope_interleave": True},
}
"""The same by the start of the architecture's name."""
NUMBERED_LAYERS = ("moe_layers", "mlp_only_layers", "no_rope_layers", "kda_layers", "full_attn_layers")
"""Lists with numbers of layers."""


def cut_config(config: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """Return a config.json with fewer decoder layers. Lists with an entry for each layer are cut with them."""
    text = config.get("text_config")
    if is_object(text) and "num_hidden_layers" in text:
        return {**config, "text_config": cut_config(text, layers)}
    whole = config["num_hidden_layers"]
    cut = {key: _cut_value(key, value, whole, layers) for key, value in config.items()}
    return {**cut, "num_hidden_layers": min(layers, whole)}


def _cut_value(key: str, value: Any, whole: int, layers: int) -> Any:
    if key == "hybrid_override_pattern":  # a letter for each layer
        return value[:layers]
    if key == "linear_attn_config" and is_object(value):  # its numbers begin with 1
        return {name: _cut_value(name, one, whole + 1, layers + 1) for name, one in value.items()}
    if not is_list(value):
        return value
    if len(value) == whole:
        return value[:layers]
    if key in NUMBERED_LAYERS:
        return [number for number in value if isinstance(number, int) and number < layers]
    return value


def whole_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a locked config with the fields that vLLM reads but that determine no size."""
    name = config["architectures"][0]
    kind = MODEL_TYPES.get(name)
    whole = {**({"model_type": kind} if kind else {}), **config}
    text = whole.get("text_config")
    if is_object(text) and text.get("model_type") == "mistral":
        text = whole["text_config"] = {"sliding_window": None, **text}
    elif whole.get("model_type") == "mistral":
        whole = {"sliding_window": None, **whole}
    rope = next((one for start, one in ROPE.items() if name.startswith(start)), None)
    if rope and is_object(text):
        whole["text_config"] = {"rope_scaling": {"rope_theta": 5_000_000, **rope}, "norm_topk_prob": True, **text}
    for field, read in READ_BY_VLLM.items():
        if field in config:
            whole = {**read, **whole}
    return {**next((read for start, read in READ_BY_CLASS.items() if name.startswith(start)), {}), **whole}


def write_model(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the files that a checkpoint has beside its weights."""
    folder.mkdir(parents=True)
    separate = config.get(SEPARATE_QUANTIZATION)
    if separate:
        (folder / QUANTIZATION_FILE).write_text(json.dumps(separate))
    own = {key: value for key, value in config.items() if key != SEPARATE_QUANTIZATION}
    (folder / "config.json").write_text(json.dumps(own))
