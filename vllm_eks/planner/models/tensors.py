"""Sorts the tensors of a checkpoint into parts, from the safetensors headers alone.

Each loaded byte belongs to exactly one part. A tensor of an unknown module counts as replicated, which never
underestimates memory, and is reported.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.tensor_words import (
    EMBEDDINGS,
    FINAL,
    FUSED,
    HEADS,
    KEY_VALUE,
    LAYERS,
    MLP,
    QUERY_OUTPUT,
    REPLICATED,
    STACKED_EXPERTS,
    TOWER,
)

BYTES_OF_DTYPE = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "BF16": 2,
    "F16": 2,
    "I16": 2,
    "U16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "F8_E8M0": 1,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
    "F4": 0.5,
}
"""Bytes per value of the dtypes in the safetensors format."""

LAYER_PARTS: tuple[str, ...] = (
    "query_output_bytes",
    "key_value_bytes",
    "mlp_bytes",
    "expert_bytes",
    "replicated_bytes",
)
END_PARTS: tuple[str, ...] = ("embedding_bytes", "head_bytes", "final_norm_bytes", "vision_bytes")

SCALES = ("scale", "scale_inv", "scales", "qzeros", "g_idx", "shape", "zero_point", "scale_2", "absmax", "quant_map")

Tensor = tuple[str, Sequence[int]]
"""A header's dtype and shape."""


@dataclass
class SortedTensors:
    """The tensors of a checkpoint, by part."""

    parts: dict[str, Any]
    """The `parts` of a lock file."""
    weights_bytes: int
    """Total of the parts, all of which are loaded."""
    draft_bytes: int
    """Layers for multi-token prediction, not loaded."""
    unknown: list[str] = field(default_factory=list[str])


def tensor_bytes(name: str, tensor: Tensor) -> int:
    """Return the bytes of one tensor.

    Raises:
        WrongQuestion: The planner does not support the dtype.
    """
    dtype, shape = tensor
    if dtype not in BYTES_OF_DTYPE:
        raise WrongQuestion(f"tensor {name} has dtype {dtype}, which the planner does not support")
    return int(prod(shape) * BYTES_OF_DTYPE[dtype])


def sort_tensors(
    tensors: Mapping[str, Tensor], *, layers: int, heads: int, kv_heads: int, weight_bits: int = 4
) -> SortedTensors:
    """Return the bytes of each part of a checkpoint.

    Args:
        tensors: Name -> dtype and shape, of all files that vLLM loads.
        layers: num_hidden_layers. Later layers are for multi-token prediction.
        heads: Attention heads, to split the bytes of a fused qkv_proj.
        kv_heads: KV heads, likewise.
        weight_bits: Bits of a packed weight, to count parameters.

    Raises:
        WrongQuestion: A dtype is unknown, or a layer has no tensor.
    """
    ends = dict.fromkeys(END_PARTS, 0)
    by_layer = [dict.fromkeys(LAYER_PARTS, 0) for _ in range(layers)]
    parameters, drafts = 0, 0
    unknown: list[str] = []
    kv_share = 2 * kv_heads / (heads + 2 * kv_heads)
    for name, tensor in tensors.items():
        size, words = tensor_bytes(name, tensor), name.split(".")
        index = _layer_index(words)
        if "mtp" in words or (index is not None and index >= layers):
            drafts += size
            continue
        parameters += _parameters(words, tensor, weight_bits)
        if _is_of_a_tower(words):
            ends["vision_bytes"] += size
        elif index is None:
            ends[_end_of_model(words, name, unknown)] += size
        else:
            part = _layer_part(words, name, unknown)
            key_value = round(size * kv_share) if FUSED & set(words) else 0
            by_layer[index]["key_value_bytes"] += key_value
            by_layer[index][part] += size - key_value
    empty = [str(index) for index, layer in enumerate(by_layer) if not any(layer.values())]
    if empty:
        raise WrongQuestion(f"the files have no tensors for layer {', '.join(empty)}: check that all files are there")
    parts = {**ends, "parameters": parameters, "layers": _kinds(by_layer)}
    total = sum(ends.values()) + sum(sum(layer.values()) for layer in by_layer)
    return SortedTensors(parts=parts, weights_bytes=total, draft_bytes=drafts, unknown=unknown)


def _layer_index(words: Sequence[str]) -> int | None:
    """Return the decoder layer of a tensor, or None when it belongs to no decoder layer."""
    if _is_of_a_tower(words):
        return None
    for word, following in itertools.pairwise(words):
        if word in LAYERS and following.isdigit():
            return int(following)
    return None


def _is_of_a_tower(words: Sequence[str]) -> bool:
    return any(TOWER.fullmatch(word) for word in words)


def _end_of_model(words: Sequence[str], name: str, unknown: list[str]) -> str:
    kinds = set(words)
    if kinds & EMBEDDINGS:
        return "embedding_bytes"
    if kinds & HEADS:
        return "head_bytes"
    if not kinds & FINAL:
        unknown.append(name)
    return "final_norm_bytes"


def _layer_part(words: Sequence[str], name: str, unknown: list[str]) -> str:
    """Return the part that a decoder layer's tensor belongs to. The caller splits a fused qkv_proj."""
    kinds = set(words)
    if kinds & REPLICATED or any(word.endswith("norm") for word in words):
        return "replicated_bytes"
    if kinds & {"shared_expert", "shared_experts", "shared_mlp"}:
        return "mlp_bytes"
    if "experts" in kinds or kinds & STACKED_EXPERTS:
        return "expert_bytes"
    if kinds & KEY_VALUE:
        return "key_value_bytes"
    if kinds & (QUERY_OUTPUT | FUSED) or any(word.startswith("in_proj") for word in words):
        return "query_output_bytes"
    if kinds & MLP:
        return "mlp_bytes"
    unknown.append(name)
    return "replicated_bytes"


def _parameters(words: Sequence[str], tensor: Tensor, weight_bits: int) -> int:
    """Return the number of parameters of a tensor: 0 for scales, and several per word of a packed weight."""
    dtype, shape = tensor
    last = words[-1]
    if last.endswith(SCALES) and last not in ("weight", "bias"):
        return 0
    packed = 1
    if last in ("qweight", "weight_packed") or last.endswith("_blocks") or (last == "weight" and dtype == "U8"):
        packed = int(BYTES_OF_DTYPE[dtype] * 8 // weight_bits)
    return prod(shape) * packed


def _kinds(by_layer: Sequence[Mapping[str, int]]) -> list[dict[str, Any]]:
    """Return each kind of layer, with its indices as "0-2,5"."""
    kinds: dict[tuple[int, ...], list[int]] = {}
    for index, layer in enumerate(by_layer):
        kinds.setdefault(tuple(layer[part] for part in LAYER_PARTS), []).append(index)
    return [
        {"indices": _ranges(indices), **dict(zip(LAYER_PARTS, sizes, strict=True))} for sizes, indices in kinds.items()
    ]


def _ranges(indices: Sequence[int]) -> str:
    """Return ascending numbers as ranges.

    >>> _ranges([0, 1, 2, 5])
    '0-2,5'
    """
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
