"""Bytes of a whole checkpoint, by part."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from vllm_eks.json_fields import Fields, WrongField
from vllm_eks.json_values import list_or_empty
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.layer_weights import BYTES_PER_16BIT, LayerWeights, compute_layer

INDICES = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*", re.ASCII)
VOCAB_PADDING = 64
"""DEFAULT_VOCAB_PADDING_SIZE in vLLM's layers/vocab_parallel_embedding.py."""


def padded_vocab_size(vocab_size: int) -> int:
    """Return the vocabulary size rounded up to a multiple of 64, as vLLM stores it."""
    return -(-vocab_size // VOCAB_PADDING) * VOCAB_PADDING


@dataclass(frozen=True, kw_only=True)
class WeightParts:
    """Bytes of a checkpoint by part, computed from the config or read from the files' headers."""

    embedding_bytes: float
    head_bytes: float
    """0 when the embedding is tied, although the last stage also holds a copy."""
    final_norm_bytes: float
    layers: tuple[LayerWeights, ...]
    vision_bytes: float
    extra_bytes: float = 0.0
    """Embeddings of each layer, on the stages that have the embedding."""
    position_bytes: float = 0.0
    """Learned positions, on the same stages and replicated on every rank."""
    draft_bytes: float
    """Layers for multi-token prediction: in the repository, not loaded."""
    parameters: int
    vision_parameters: int
    tied: bool

    @cached_property
    def largest_layer_bytes(self) -> float:
        """Bytes of the largest layer."""
        return max(layer.total_bytes for layer in self.layers)

    @cached_property
    def routed_share(self) -> float:
        """The routed experts' share of all bytes."""
        return sum(layer.expert_bytes for layer in self.layers) / self.total_bytes

    @cached_property
    def total_bytes(self) -> float:
        """Bytes of all loaded tensors."""
        return (
            self.embedding_bytes
            + self.head_bytes
            + self.final_norm_bytes
            + sum(layer.total_bytes for layer in self.layers)
            + self.vision_bytes
            + self.extra_bytes
            + self.position_bytes
        )


def compute_parts(model: Architecture) -> WeightParts:
    """Return the bytes of each part of the model, computed from its config alone.

    For the text parts of dense Llama and Qwen models, this agrees with the files to 0.01 GiB.
    """
    vocabulary = model.vocab_size * model.hidden_size
    head = 0 if model.tie_word_embeddings else vocabulary
    extra = model.extra_parameters
    vision = model.vision.parameters if model.vision else 0
    kinds: dict[tuple[object, ...], LayerWeights] = {}
    layers = tuple(_same_layer(model, index, kinds) for index in range(model.num_hidden_layers))
    return WeightParts(
        embedding_bytes=vocabulary * BYTES_PER_16BIT,
        extra_bytes=extra * BYTES_PER_16BIT,
        position_bytes=model.position_parameters * BYTES_PER_16BIT,
        head_bytes=head * BYTES_PER_16BIT,
        final_norm_bytes=model.hidden_size * BYTES_PER_16BIT,
        layers=layers,
        vision_bytes=vision * BYTES_PER_16BIT,
        draft_bytes=_draft_bytes(model, layers),
        parameters=vocabulary
        + model.hidden_size
        + head
        + sum(layer.parameters for layer in layers)
        + vision
        + model.extra_parameters
        + model.position_parameters,
        vision_parameters=vision,
        tied=model.tie_word_embeddings,
    )


def _same_layer(model: Architecture, index: int, kinds: dict[tuple[object, ...], LayerWeights]) -> LayerWeights:
    """Return a layer's bytes, computed once per kind of layer, because a comparison needs thousands of layers."""
    names_layers = model.quantization.names_layer(index)
    shape = model.shapes[index] if model.shapes else None
    key = (model.attention[index], index in model.moe_layers, shape, names_layers)
    if names_layers or key not in kinds:
        kinds[key] = compute_layer(model, index)
    return kinds[key]


def _draft_bytes(model: Architecture, layers: Sequence[LayerWeights]) -> float:
    """Return the bytes of multi-token prediction: for each a decoder layer, a projection, an embedding and a head."""
    if not model.draft_layers:
        return 0.0
    vocabulary = 2 * model.vocab_size * model.hidden_size if model.latent else 0
    projection = 2 * model.hidden_size**2
    return model.draft_layers * (layers[-1].total_bytes + (vocabulary + projection) * BYTES_PER_16BIT)


def parts_of_headers(parts: Mapping[str, Any], model: Architecture) -> WeightParts:
    """Return the parts in a lock file, with the bytes in the safetensors headers.

    Raises:
        WrongField: A part or a layer is missing, or has another type.
    """
    fields = Fields(parts, where="parts of a lock file")
    head, vision = fields.required("head_bytes", int), fields.required("vision_bytes", int)
    layers = _layers_of_headers(list_or_empty(parts.get("layers")))
    missing = [str(index) for index in range(model.num_hidden_layers) if index not in layers]
    if missing:
        raise WrongField(f"parts.layers of a lock file lacks layer {', '.join(missing)}")
    return WeightParts(
        embedding_bytes=fields.required("embedding_bytes", int),
        head_bytes=head,
        final_norm_bytes=fields.required("final_norm_bytes", int),
        layers=tuple(_with_kv_heads(layers[index], model, index) for index in range(model.num_hidden_layers)),
        vision_bytes=vision,
        draft_bytes=0.0,
        parameters=fields.required("parameters", int),
        vision_parameters=vision // BYTES_PER_16BIT,
        tied=head == 0,
    )


def _layers_of_headers(rows: Sequence[object]) -> dict[int, LayerWeights]:
    layers: dict[int, LayerWeights] = {}
    for row in rows:
        fields = Fields(row, where="parts.layers of a lock file")
        indices = fields.required("indices", str)
        if not INDICES.fullmatch(indices):
            raise WrongField(f"parts.layers of a lock file: indices {indices!r} are no numbers of layers")
        layers |= dict.fromkeys(layer_indices(indices), LayerWeights.from_fields(fields))
    return layers


def _with_kv_heads(layer: LayerWeights, model: Architecture, index: int) -> LayerWeights:
    """Return a layer with its own number of KV heads, where the layers differ."""
    return replace(layer, kv_heads=model.shapes[index].kv_heads) if model.shapes else layer


def layer_indices(text: str) -> list[int]:
    """Return the numbers in a text such as "0-2,5".

    >>> layer_indices("0-2,5")
    [0, 1, 2, 5]
    """
    indices: list[int] = []
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        indices += range(int(first), int(last or first) + 1)
    return indices
