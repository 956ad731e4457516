"""Vision and audio towers of any model, from the sections of its config.json that describe encoders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vllm_eks.json_values import is_list, is_object
from vllm_eks.planner.models.architecture import Vision
from vllm_eks.planner.models.counts import count
from vllm_eks.planner.models.from_fields.names import sections
from vllm_eks.planner.models.from_fields.traits import Traits

TOWER_WORDS = ("vision", "visual", "vit", "audio", "speech", "sound", "encoder_config", "image_encoder")
"""A section whose name has one of these words is a tower, if it has layers and a size."""
WIDTHS = ("embed_dim", "vt_hidden_size", "hidden_size", "d_model", "width", "hidden_dim")
"""The width of a tower. Qwen2-VL's hidden_size is that of its output, beside embed_dim."""
DEPTHS = ("num_hidden_layers", "depth", "vt_num_hidden_layers", "encoder_layers", "n_layers", "num_layers", "layers")
SIZES = ("intermediate_size", "vt_intermediate_size", "encoder_ffn_dim", "mlp_dim", "ffn_dim", "dim_feedforward")
HEADS = ("num_attention_heads", "num_heads", "vt_num_attention_heads", "encoder_attention_heads", "n_head", "heads")
IMAGE_SIZES = ("image_size", "img_size", "force_image_size")
MERGES = ("spatial_merge_size", "merge_size", "downsample_ratio")
USUAL_PATCH = 14
MOST_TOKENS_PER_IMAGE = 16_384


@dataclass(frozen=True, kw_only=True)
class Tower:
    """One encoder: parameters that TP can split, and those that every rank holds whole."""

    width: int
    depth: int
    size: int
    heads: int
    layer_parameters: int
    ends_parameters: int
    """Patches, positions and the projector to the decoder."""
    patches: int
    tokens: int


def read_towers(config: Mapping[str, Any], traits: Traits, *, text_hidden: int) -> Vision | None:
    """Return the towers of a multimodal model together, or None for a text model."""
    towers = [
        tower
        for outer in sections(config)
        for section in _encoder_sections(outer)
        if (tower := _tower(section, traits, text_hidden))
    ]
    if not towers:
        return None
    first, shards = towers[0], traits.has_sharded_towers
    layers = sum(tower.depth * tower.layer_parameters for tower in towers)
    ends = sum(tower.ends_parameters for tower in towers)
    return Vision(
        kind="fields",
        parameters=layers + ends,
        whole_parameters=ends if shards else layers + ends,
        hidden_size=first.width,
        intermediate_size=first.size,
        num_attention_heads=first.heads,
        profile_patches=first.patches,
        profile_tokens=first.tokens,
        output_size=text_hidden,
        is_sharded=shards,
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
    merge = _merge(section)
    side = _side(section) // patch
    patches = side**2 or MOST_TOKENS_PER_IMAGE
    ends = _conv_parameters(section, width) if is_audio else _patch_parameters(section, width, patch, side)
    merged = width * merge**2
    projector = merged * merged + merged * text_hidden if merge > 1 else width * text_hidden + text_hidden**2
    return Tower(
        width=width,
        depth=depth,
        size=size,
        heads=count(section, *HEADS) or 1,
        layer_parameters=4 * (width * width + width) + (3 if gated else 2) * width * size + size + 5 * width,
        ends_parameters=ends + projector,
        patches=patches,
        tokens=max(1, patches // merge**2),
    )


def _merge(section: Mapping[str, Any]) -> int:
    kernel = section.get("merge_kernel_size")
    if is_list(kernel) and kernel:
        return int(kernel[0])
    return count(section, *MERGES) or 1


def _side(section: Mapping[str, Any]) -> int:
    value: object = next((section[name] for name in IMAGE_SIZES if section.get(name)), 0)
    return int(value[0]) if is_list(value) and value else count(section, *IMAGE_SIZES)


def _patch_parameters(section: Mapping[str, Any], width: int, patch: int, side: int) -> int:
    channels = count(section, "num_channels", "in_channels", "in_chans") or 3
    temporal = count(section, "temporal_patch_size") or 1
    positions = count(section, "num_position_embeddings") or side**2
    return channels * temporal * patch**2 * width + positions * width


def _conv_parameters(section: Mapping[str, Any], width: int) -> int:
    bins = count(section, "num_mel_bins", "feature_size", "mel_bins")
    positions = count(section, "max_source_positions")
    return 3 * bins * width + 3 * width * width + positions * width
