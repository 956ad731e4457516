"""What a model is made of, read from its Hugging Face config.json.

Both the locked models (data/models) and folders with a config.json go through `parse_config`, so there is one
reading of the fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.faults import WrongQuestion
from planner.quantization import NONE, Quantization, parse_quantization


@dataclass(frozen=True, kw_only=True)
class Vision:
    """The vision tower of a Llama 4 model (model_type llama4_vision_model)."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: int
    patch_size: int
    num_channels: int
    pixel_shuffle_ratio: float
    projector_input_dim: int
    projector_output_dim: int

    @property
    def patches_per_tile(self) -> int:
        """Patches of one tile, with the class token."""
        return (self.image_size // self.patch_size) ** 2 + 1


@dataclass(frozen=True, kw_only=True)
class Experts:
    """The mixture-of-experts part of each MoE layer."""

    count: int
    per_token: int
    intermediate_size: int
    shared_intermediate_size: int
    """0 where there is no shared expert."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The config fields that decide parallel sizes and memory."""

    name: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    intermediate_size: int
    max_position_embeddings: int
    tie_word_embeddings: bool
    has_qkv_bias: bool
    has_qk_norm: bool
    dtype: str
    experts: Experts | None
    moe_layers: frozenset[int]
    vision: Vision | None
    quantization: Quantization = NONE


# Families whose weights and KV cache this planner computes. All implement vLLM's SupportsPP (0.33 registry).
DENSE = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
MIXTURE = ("MixtralForCausalLM", "Qwen3MoeForCausalLM", "Llama4ForConditionalGeneration", "Llama4ForCausalLM")
FAMILIES = (*DENSE, *MIXTURE)

REQUIRED = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "vocab_size",
    "intermediate_size",
    "max_position_embeddings",
)


def parse_config(config: Mapping[str, Any], *, where: str) -> Architecture:
    """Return the architecture that a config.json describes.

    Args:
        config: The whole document; multimodal models keep the decoder under `text_config`.
        where: The model id or folder, for messages.

    Raises:
        WrongQuestion: A family the planner does not know (named), or fields that are missing or no whole numbers.
    """
    names = config.get("architectures") or []
    name = names[0] if names else None
    if name not in FAMILIES:
        raise WrongQuestion(
            f"{where}: the planner does not know the architecture {name or '(none given)'}; "
            f"it knows {', '.join(FAMILIES)}"
        )
    text = {**config, **(config.get("text_config") or {})}
    wrong = [key for key in REQUIRED if not _is_count(text.get(key))]
    if wrong:
        raise WrongQuestion(f"{where}: config.json lacks a whole number above 0 for {', '.join(wrong)}")
    heads = int(text["num_attention_heads"])
    layers = int(text["num_hidden_layers"])
    experts = _experts(name, text, where)
    return Architecture(
        name=name,
        hidden_size=int(text["hidden_size"]),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=int(text.get("num_key_value_heads") or heads),
        head_dim=int(text.get("head_dim") or int(text["hidden_size"]) // heads),
        vocab_size=int(text["vocab_size"]),
        intermediate_size=int(text.get("intermediate_size_mlp") or text["intermediate_size"]),
        max_position_embeddings=int(text["max_position_embeddings"]),
        tie_word_embeddings=bool(text.get("tie_word_embeddings", False)),
        has_qkv_bias=name == "Qwen2ForCausalLM" or bool(text.get("attention_bias", False)),
        has_qk_norm=name.startswith("Qwen3"),
        dtype=str(text.get("torch_dtype") or text.get("dtype") or "bfloat16"),
        experts=experts,
        moe_layers=_moe_layers(name, text, layers) if experts else frozenset(),
        vision=_vision(config.get("vision_config"), where) if "Conditional" in name else None,
        quantization=parse_quantization({**text, **config}),
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _experts(name: str, text: Mapping[str, Any], where: str) -> Experts | None:
    if name in DENSE:
        return None
    count = text.get("num_local_experts") or text.get("num_experts")
    if not _is_count(count):
        raise WrongQuestion(f"{where}: config.json lacks num_local_experts (or num_experts) for {name}")
    size = int(text.get("moe_intermediate_size") or text["intermediate_size"])
    return Experts(
        count=int(count or 0),
        per_token=int(text.get("num_experts_per_tok") or 1),
        intermediate_size=size,
        shared_intermediate_size=size if name.startswith("Llama4") else 0,
    )


def _moe_layers(name: str, text: Mapping[str, Any], layers: int) -> frozenset[int]:
    if name.startswith("Llama4"):
        if text.get("moe_layers"):
            return frozenset(int(index) for index in text["moe_layers"])
        step = int(text.get("interleave_moe_layer_step") or 1)
        return frozenset(index for index in range(layers) if (index + 1) % step == 0)
    dense_only = {int(index) for index in text.get("mlp_only_layers") or ()}
    step = int(text.get("decoder_sparse_step") or 1)
    return frozenset(i for i in range(layers) if i not in dense_only and (i + 1) % step == 0)


def _vision(section: Mapping[str, Any] | None, where: str) -> Vision | None:
    if not section:
        return None
    try:
        return Vision(
            hidden_size=int(section["hidden_size"]),
            intermediate_size=int(section["intermediate_size"]),
            num_hidden_layers=int(section["num_hidden_layers"]),
            num_attention_heads=int(section["num_attention_heads"]),
            image_size=int(section.get("image_size", 336)),
            patch_size=int(section.get("patch_size", 14)),
            num_channels=int(section.get("num_channels", 3)),
            pixel_shuffle_ratio=float(section.get("pixel_shuffle_ratio", 0.5)),
            projector_input_dim=int(section.get("projector_input_dim", 4096)),
            projector_output_dim=int(section.get("projector_output_dim", 4096)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WrongQuestion(f"{where}: vision_config lacks or garbles {error}") from None
