"""Vision towers: their parameters, and the largest item that vLLM profiles memory with.

Sources: vLLM's model files (mllama4, qwen3_vl, siglip, pixtral, kimi_k25_vit) for the layers, and the default limits of
each processor, which profile_run uses, for the largest item.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, list_or_empty, object_or_empty
from vllm_eks.planner.models.architecture import Vision
from vllm_eks.planner.models.image_grid import ImageGrid, rounded_cells, rows_of_cells, tiles
from vllm_eks.planner.vllm_version import Version

MISTRAL_FILE = "params.json"
"""Mistral's own form of the config, which vLLM prefers."""
MISTRAL_FORMAT = "mistral_format"
"""The key under which the planner records that a repository has this file."""
MISTRAL_FORMAT_FIRST: Version = (0, 12, 0)
"""vLLM reads params.json before config.json (transformers_utils/config.py; in 0.12.0, not in 0.11.2)."""
LLAMA4_TILES = 17
"""Llama 4 splits an image into up to 16 tiles, and adds one tile for the whole image."""
QWEN_LONGEST_EDGE_PIXELS = 16_777_216
"""Largest number of pixels in an image (Qwen3-VL preprocessor_config.json, size.longest_edge)."""
KIMI_PATCH_LIMIT = 16_384
"""Largest number of patches in an image (Kimi K2.5 preprocessor)."""
GEMMA_TOKENS_PER_IMAGE = 256
"""Gemma 3, mm_tokens_per_image."""


class _WrongTowerError(ValueError):
    """A size is missing, or is a list. The message follows `config.json`."""


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    """The fields that all kinds of towers have, under different names."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    patch: int
    channels: int
    text_hidden: int

    @property
    def layer_parameters(self) -> int:
        """Parameters of a transformer layer with biases, two linear layers in its MLP, and two layer norms."""
        attention = 4 * (self.hidden * self.hidden + self.hidden)
        mlp = 2 * self.hidden * self.intermediate + self.intermediate + self.hidden
        return attention + mlp + 4 * self.hidden

    @property
    def patch_parameters(self) -> int:
        """Parameters of the patch convolution."""
        return self.channels * self.patch**2 * self.hidden


def parse_vision(config: Mapping[str, Any], tower: str, *, where: str) -> Vision | None:
    """Return the vision tower of a multimodal config.json, or None without `vision_config`.

    Args:
        config: The whole document.
        tower: The family's kind of tower, `none` for text models.
        where: The model id or folder, for messages.

    Raises:
        WrongQuestion: A field is missing or not a number.
    """
    section = {key: value for key, value in object_or_empty(config.get("vision_config")).items() if value is not None}
    if not section or tower == "none":
        return None
    text_hidden = int((config.get("text_config") or config)["hidden_size"])
    try:
        found = _TOWERS[tower](tower, _sizes(section, text_hidden), section)
    except _WrongTowerError as error:
        raise WrongQuestion(f"{where}: config.json {error}") from None
    # vLLM then reads params.json and serves PixtralForConditionalGeneration, which splits no layer of its tower.
    return replace(found, whole_since=MISTRAL_FORMAT_FIRST) if config.get(MISTRAL_FORMAT) else found


def _sizes(section: Mapping[str, Any], text_hidden: int) -> _Sizes:
    return _Sizes(
        hidden=_size(section, "hidden_size", "vt_hidden_size"),
        intermediate=_size(section, "intermediate_size", "vt_intermediate_size"),
        layers=_size(section, "num_hidden_layers", "depth", "vt_num_hidden_layers"),
        heads=_size(section, "num_attention_heads", "num_heads", "vt_num_attention_heads"),
        patch=_size(section, "patch_size", default=14),
        channels=_size(section, "num_channels", "in_channels", default=3),
        text_hidden=text_hidden,
    )


def _size(section: Mapping[str, Any], *names: str, default: int | None = None) -> int:
    """Return the first of these fields that has a value, or the default.

    Raises:
        _WrongTowerError: None has a value and there is no default, or the value is a list.
    """
    for name in names:
        value: object = section.get(name)
        if is_list(value):
            raise _WrongTowerError(f"has vision_config.{name} {value}: write one whole number")
        if isinstance(value, int):
            return value
    if default is None:
        raise _WrongTowerError(f"needs a whole number above 0 for {' or '.join(names)} in its vision_config")
    return default


def _vision(
    kind: str,
    sizes: _Sizes,
    *,
    parameters: int,
    whole: int,
    patches: int,
    tokens: int,
    output: int,
    grid: ImageGrid | None = None,
) -> Vision:
    """Return a tower, of which TP does not split `whole` parameters."""
    return Vision(
        kind=kind,
        parameters=parameters,
        hidden_size=sizes.hidden,
        intermediate_size=sizes.intermediate,
        num_attention_heads=sizes.heads,
        profile_patches=patches,
        profile_tokens=max(1, tokens),
        output_size=output,
        whole_parameters=whole,
        grid=grid,
    )


def _llama4(kind: str, sizes: _Sizes, section: Mapping[str, Any]) -> Vision:
    side = _size(section, "image_size", default=336)
    patches = (side // sizes.patch) ** 2 + 1
    ratio = float(section.get("pixel_shuffle_ratio", 0.5))
    projected = (
        _size(section, "projector_input_dim", default=4096),
        _size(section, "projector_output_dim", default=4096),
    )
    positions = (patches + 1) * sizes.hidden + 4 * sizes.hidden
    adapter = int(sizes.hidden / ratio**2) * projected[0] + projected[0] * projected[1]
    tower = sizes.layers * sizes.layer_parameters + sizes.patch_parameters
    projector = projected[1] * sizes.text_hidden
    found = _vision(
        kind,
        sizes,
        parameters=tower + positions + adapter + projector,
        whole=positions,
        patches=LLAMA4_TILES * patches,
        tokens=int(LLAMA4_TILES * (patches - 1) * ratio**2),
        output=sizes.text_hidden,
        grid=tiles(side, LLAMA4_TILES - 1, patches=patches, tokens=int((patches - 1) * ratio**2)),
    )
    return replace(found, projector_parameters=projector)


def _qwen(kind: str, sizes: _Sizes, section: Mapping[str, Any]) -> Vision:
    merge = _size(section, "spatial_merge_size", default=2)
    temporal = _size(section, "temporal_patch_size", default=2)
    output = _size(section, "out_hidden_size", default=0) or sizes.text_hidden
    deep = len(section.get("deepstack_visual_indexes") or ())
    merged = sizes.hidden * merge**2
    merger = merged * merged + merged + merged * output + output + 2 * sizes.hidden
    embeddings = temporal * sizes.patch_parameters + sizes.hidden
    embeddings += _size(section, "num_position_embeddings", default=0) * sizes.hidden
    patches = QWEN_LONGEST_EDGE_PIXELS // sizes.patch**2
    return _vision(
        kind,
        sizes,
        parameters=sizes.layers * sizes.layer_parameters + embeddings + (1 + deep) * merger,
        whole=embeddings,
        patches=patches,
        tokens=patches // merge**2,
        output=output * (1 + deep),
        grid=rounded_cells(sizes.patch, merge, most_pixels=QWEN_LONGEST_EDGE_PIXELS),
    )


def _siglip(kind: str, sizes: _Sizes, section: Mapping[str, Any]) -> Vision:
    patches = (_size(section, "image_size", default=896) // sizes.patch) ** 2
    embeddings = sizes.patch_parameters + sizes.hidden + patches * sizes.hidden
    projector = sizes.hidden * sizes.text_hidden + sizes.hidden
    return _vision(
        kind,
        sizes,
        parameters=sizes.layers * sizes.layer_parameters + embeddings + 2 * sizes.hidden + projector,
        whole=embeddings + projector,
        patches=patches,
        tokens=GEMMA_TOKENS_PER_IMAGE,
        output=sizes.text_hidden,
    )


def _pixtral(kind: str, sizes: _Sizes, section: Mapping[str, Any]) -> Vision:
    merge = _size(section, "spatial_merge_size", default=2)
    longest = _size(section, "image_size", default=1540)
    side = longest // sizes.patch
    layer = 4 * sizes.hidden**2 + 3 * sizes.hidden * sizes.intermediate + 2 * sizes.hidden
    merging = merge**2 * sizes.hidden**2
    projector = merging + sizes.hidden * sizes.text_hidden + sizes.text_hidden**2 + sizes.hidden
    return _vision(
        kind,
        sizes,
        parameters=sizes.layers * layer + sizes.patch_parameters + sizes.hidden + projector,
        whole=sizes.patch_parameters + merging,
        patches=side**2,
        tokens=(side // merge) ** 2 + side // merge,
        output=sizes.text_hidden,
        grid=rows_of_cells(sizes.patch, merge, longest=longest),
    )


def _kimi(kind: str, sizes: _Sizes, section: Mapping[str, Any]) -> Vision:
    merge = list_or_empty(section.get("merge_kernel_size")) or [2, 2]
    if len(merge) != 2:
        raise _WrongTowerError(f"has vision_config.merge_kernel_size {merge}: write a list of two whole numbers")
    cells = int(str(merge[0])) * int(str(merge[1]))
    merged = sizes.hidden * cells
    projector = merged * merged + merged + merged * sizes.text_hidden + sizes.text_hidden + 2 * sizes.hidden
    positions = (
        _size(section, "init_pos_emb_height", default=64)
        * _size(section, "init_pos_emb_width", default=64)
        * sizes.hidden
    )
    return _vision(
        kind,
        sizes,
        parameters=sizes.layers * sizes.layer_parameters + sizes.patch_parameters + positions + projector,
        whole=sizes.patch_parameters + positions + projector,
        patches=KIMI_PATCH_LIMIT,
        tokens=KIMI_PATCH_LIMIT // cells,
        output=sizes.text_hidden,
    )


_TOWERS: dict[str, Callable[[str, _Sizes, Mapping[str, Any]], Vision]] = {
    "llama4": _llama4,
    "qwen3": _qwen,
    "siglip": _siglip,
    "pixtral": _pixtral,
    "kimi": _kimi,
}
