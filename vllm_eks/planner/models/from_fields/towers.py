"""Vision and audio towers of any model, from the sections of its config.json that describe encoders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vllm_eks.json_values import is_object, list_or_empty
from vllm_eks.planner.models.architecture import Vision
from vllm_eks.planner.models.counts import count, is_count
from vllm_eks.planner.models.from_fields.names import sections
from vllm_eks.planner.models.from_fields.traits import Projector, Traits
from vllm_eks.planner.models.from_fields.words import MOST_TOKENS_PER_IMAGE, TOWER_WORDS

WIDTHS = ("embed_dim", "vt_hidden_size", "hidden_size", "d_model", "width", "hidden_dim")
"""The width of a tower. Qwen2-VL has it in embed_dim, and its hidden_size is that of the output."""
DEPTHS = ("num_hidden_layers", "depth", "vt_num_hidden_layers", "encoder_layers", "n_layers", "num_layers", "layers")
SIZES = ("intermediate_size", "vt_intermediate_size", "encoder_ffn_dim", "mlp_dim", "ffn_dim", "dim_feedforward")
HEADS = ("num_attention_heads", "num_heads", "vt_num_attention_heads", "encoder_attention_heads", "n_head", "heads")
IMAGE_SIZES = ("image_size", "img_size", "force_image_size")
MERGES = ("spatial_merge_size", "merge_size", "downsample_ratio")
PREFIX_IMAGE_MODELS = ("bagel", "gemma3", "molmo2", "moondream3", "paligemma")
"""The model_type of models whose images attend in both directions (model_arch_config_convertor.py)."""
USUAL_PATCH = 14


@dataclass(frozen=True, kw_only=True)
class Tower:
    """One encoder: parameters that TP can split, and those that it cannot."""

    width: int
    depth: int
    size: int
    heads: int
    layer_parameters: int
    ends_parameters: int
    """Patches, positions and the projector to the decoder."""
    patches: int
    tokens: int


def has_prefix_images(config: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Return whether the tokens of an image attend in both directions (vLLM's is_mm_prefix_lm).

    Args:
        config: The whole document.
        fields: The fields of its decoder.
    """
    both = fields.get("use_bidirectional_attention") == "vision"
    return both or config.get("model_type") in PREFIX_IMAGE_MODELS


def read_towers(config: Mapping[str, Any], traits: Traits, *, text_hidden: int) -> Vision | None:
    """Return the towers of a multimodal model together, or None for a text model."""
    if not traits.has_towers:
        return None
    towers = [
        tower
        for outer in sections(config)
        for section in _encoder_sections(outer)
        if (tower := _tower(section, traits, text_hidden))
    ]
    if not towers:
        return None
    first = towers[0]
    parameters = sum(tower.depth * tower.layer_parameters + tower.ends_parameters for tower in towers)
    return Vision(
        kind="fields",
        parameters=parameters,
        whole_parameters=round(parameters * traits.whole_tower_share),
        hidden_size=first.width,
        intermediate_size=first.size,
        num_attention_heads=first.heads,
        profile_patches=first.patches,
        profile_tokens=first.tokens,
        output_size=text_hidden,
        is_sharded=traits.whole_tower_share < 1,
    )


def _encoder_sections(outer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name, value in outer.items():
        if is_object(value) and any(word in name for word in TOWER_WORDS):
            yield value


def _tower(section: Mapping[str, Any], traits: Traits, text_hidden: int) -> Tower | None:
    width, depth = count(section, *WIDTHS), count(section, *DEPTHS)
    if not width or not depth:
        return None
    ratio = section.get("mlp_ratio")
    size = count(section, *SIZES) or round(width * (float(ratio) if isinstance(ratio, int | float) else 4))
    gated = traits.has_gated_towers
    if gated is None:
        gated = str(section.get("hidden_act") or section.get("activation")) in ("silu", "swiglu")
    is_audio = bool(count(section, "num_mel_bins", "feature_size", "mel_bins"))
    patch = count(section, "patch_size", "spatial_patch_size") or USUAL_PATCH
    merge, side = _merge(section), _side(section) // patch
    patches = side**2 or MOST_TOKENS_PER_IMAGE
    ends = _conv_parameters(section, width) if is_audio else _patch_parameters(section, width, patch, side)
    projector = traits.projector or ("merged mlp" if merge > 1 else "mlp")
    output = count(section, "out_hidden_size") or text_hidden
    if projector == "glm":
        ends += 3 * output * size
        size = output
    elif projector == "gated":
        ends += 3 * output * size
    heads = count(section, *HEADS) or 1
    kv_heads = count(section, "num_key_value_heads") or heads
    head_dim = count(section, "head_dim", "dim_head") or width // heads
    attention = 2 * width * head_dim * (heads + kv_heads)
    return Tower(
        width=width,
        depth=depth,
        size=size,
        heads=heads,
        layer_parameters=attention + (3 if gated else 2) * width * size + size + 9 * width,
        ends_parameters=ends + projector_parameters(projector, width, width * merge**2, output),
        patches=patches,
        tokens=max(1, patches // merge**2),
    )


def projector_parameters(kind: Projector, width: int, merged: int, text_hidden: int) -> int:
    """Return the parameters of the projector from the tower to the decoder.

    Args:
        kind: Its form.
        width: The tower's width.
        merged: The width of the patches that it merges into one token.
        text_hidden: The width of its output.
    """
    match kind:
        case "none":
            return 0
        case "linear":
            return merged * text_hidden
        case "mlp":
            return width * text_hidden + text_hidden**2
        case "merged mlp":
            return merged**2 + merged * text_hidden
        case "merged wide":
            return merged * text_hidden + text_hidden**2
        case "glm" | "gated":
            # A convolution that merges, a linear layer, and an MLP as large as the config's intermediate size.
            return merged * text_hidden + text_hidden**2
        case "merged twice":
            return merged * width + width * text_hidden + text_hidden**2


def _merge(section: Mapping[str, Any]) -> int:
    kernel = list_or_empty(section.get("merge_kernel_size"))
    if kernel and is_count(kernel[0]):
        return kernel[0]
    return count(section, *MERGES) or 1


def _side(section: Mapping[str, Any]) -> int:
    sides = [side for name in IMAGE_SIZES for side in list_or_empty(section.get(name)) if is_count(side)]
    return sides[0] if sides else count(section, *IMAGE_SIZES)


def _patch_parameters(section: Mapping[str, Any], width: int, patch: int, side: int) -> int:
    channels = count(section, "num_channels", "in_channels", "in_chans") or 3
    temporal = count(section, "temporal_patch_size") or 1
    positions = count(section, "num_position_embeddings") or side**2
    return channels * temporal * patch**2 * width + positions * width


def _conv_parameters(section: Mapping[str, Any], width: int) -> int:
    bins = count(section, "num_mel_bins", "feature_size", "mel_bins")
    positions = count(section, "max_source_positions")
    return 3 * bins * width + 3 * width * width + positions * width
