"""Bytes of weights, by part and by rank.

Parts follow vLLM's loaders: column and row parallel linears are split over TP, K and V at most as many ways as there
are KV heads, norms and routers stand whole on every rank. Embeddings are on the first pipeline stage, the head on the
last (a tied embedding on both), the vision tower on the first.
"""

from dataclasses import dataclass
from functools import cached_property

from planner.architecture import Architecture, Vision

BYTES_PER_16BIT = 2
VOCAB_PADDING = 64
"""vLLM layers/vocab_parallel_embedding.py, DEFAULT_VOCAB_PADDING_SIZE."""


def padded_vocab_size(vocab_size: int) -> int:
    """Return the vocabulary as vLLM stores it: rounded up to a multiple of 64."""
    return -(-vocab_size // VOCAB_PADDING) * VOCAB_PADDING


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """Bytes of one decoder layer, by how they are split."""

    query_output_bytes: float
    key_value_bytes: float
    mlp_bytes: float
    """Dense MLP or shared expert: split over TP."""
    expert_bytes: float
    """Routed experts: split over TP, or dealt out whole with expert parallel."""
    replicated_bytes: float
    """Norms and router: whole on every rank."""
    parameters: int

    def rank_bytes(self, *, tensor_parallel_size: int, kv_heads: int, expert_share: float) -> float:
        """Return the bytes of this layer on one rank; `expert_share` is the rank's part of the experts."""
        return (
            (self.query_output_bytes + self.mlp_bytes) / tensor_parallel_size
            + self.key_value_bytes / min(tensor_parallel_size, kv_heads)
            + self.expert_bytes * expert_share
            + self.replicated_bytes
        )

    @property
    def total_bytes(self) -> float:
        """Bytes of the layer in the checkpoint."""
        return (
            self.query_output_bytes + self.key_value_bytes + self.mlp_bytes + self.expert_bytes + self.replicated_bytes
        )


@dataclass(frozen=True, kw_only=True)
class WeightParts:
    """Bytes of a whole checkpoint, by part, computed from the config."""

    embedding_bytes: float
    head_bytes: float
    """0 in the checkpoint where the embedding is tied; the last stage holds a copy all the same."""
    final_norm_bytes: float
    layers: tuple[LayerWeights, ...]
    vision_bytes: float
    vision_parameters: int
    embedding_parameters: int
    head_parameters: int
    tied: bool

    @cached_property
    def total_bytes(self) -> float:
        """Bytes of every tensor in the checkpoint."""
        return (
            self.embedding_bytes
            + self.head_bytes
            + self.final_norm_bytes
            + sum(layer.total_bytes for layer in self.layers)
            + self.vision_bytes
        )

    @cached_property
    def parameters(self) -> int:
        """Number of parameters in the checkpoint."""
        return (
            self.embedding_parameters
            + self.head_parameters
            + sum(layer.parameters for layer in self.layers)
            + self.vision_parameters
        )


def compute_parts(model: Architecture) -> WeightParts:
    """Return the bytes of each part of the model, from its config alone.

    Text parts of dense Llama and Qwen models agree with the files to 0.01 GiB.
    """
    vocab_parameters = model.vocab_size * model.hidden_size
    head_parameters = 0 if model.tie_word_embeddings else vocab_parameters
    vision_parameters = _vision_parameters(model.vision, model.hidden_size)
    return WeightParts(
        embedding_bytes=vocab_parameters * BYTES_PER_16BIT,
        head_bytes=head_parameters * BYTES_PER_16BIT,
        final_norm_bytes=model.hidden_size * BYTES_PER_16BIT,
        layers=tuple(_layer(model, index) for index in range(model.num_hidden_layers)),
        vision_bytes=vision_parameters * BYTES_PER_16BIT,
        vision_parameters=vision_parameters,
        embedding_parameters=vocab_parameters + model.hidden_size,
        head_parameters=head_parameters,
        tied=model.tie_word_embeddings,
    )


def _layer(model: Architecture, index: int) -> LayerWeights:
    prefix = f"model.layers.{index}"
    hidden = model.hidden_size
    query = model.num_attention_heads * model.head_dim
    key_value = 2 * model.num_key_value_heads * model.head_dim
    bias = (query + key_value) if model.has_qkv_bias else 0
    norms = 2 * hidden + (2 * model.head_dim if model.has_qk_norm else 0)
    attention = _linear_bytes(model, f"{prefix}.self_attn.q_proj")
    experts, is_moe = model.experts, index in model.moe_layers
    if is_moe and experts:
        mlp = 3 * hidden * experts.shared_intermediate_size
        routed = 3 * hidden * experts.intermediate_size * experts.count
        router = hidden * experts.count
    else:
        mlp, routed, router = 3 * hidden * model.intermediate_size, 0, 0
    mlp_name = "feed_forward" if model.name.startswith("Llama4") else "mlp"
    shared = f"{prefix}.{mlp_name}.shared_expert.gate_proj" if is_moe else f"{prefix}.{mlp_name}.gate_proj"
    return LayerWeights(
        query_output_bytes=2 * hidden * query * attention,
        key_value_bytes=hidden * key_value * attention,
        mlp_bytes=mlp * _linear_bytes(model, shared),
        expert_bytes=routed * _linear_bytes(model, f"{prefix}.{mlp_name}.experts.0.gate_proj"),
        replicated_bytes=(norms + router + bias) * BYTES_PER_16BIT,
        parameters=2 * hidden * query + hidden * key_value + mlp + routed + norms + router + bias,
    )


def _linear_bytes(model: Architecture, module: str) -> float:
    if model.quantization.covers(module):
        return model.quantization.bytes_per_parameter()
    return BYTES_PER_16BIT


def _vision_parameters(vision: Vision | None, text_hidden_size: int) -> int:
    """Parameters of the Llama 4 vision tower, its pixel-shuffle adapter and the projector."""
    if vision is None:
        return 0
    hidden = vision.hidden_size
    attention = 4 * (hidden * hidden + hidden)
    mlp = 2 * hidden * vision.intermediate_size + vision.intermediate_size + hidden
    layer_norms = 2 * 2 * hidden
    patches = vision.num_channels * vision.patch_size**2 * hidden
    positions = (vision.patches_per_tile + 1) * hidden + 2 * 2 * hidden
    shuffled = int(hidden / vision.pixel_shuffle_ratio**2)
    adapter = shuffled * vision.projector_input_dim + vision.projector_input_dim * vision.projector_output_dim
    projector = vision.projector_output_dim * text_hidden_size
    tower = vision.num_hidden_layers * (attention + mlp + layer_norms)
    return tower + patches + positions + adapter + projector
