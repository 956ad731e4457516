"""Bytes of one decoder layer, by how tensor parallelism splits them.

The splits follow vLLM's layers. TP splits column-parallel and row-parallel linear layers, and K and V at most as many
ways as there are KV heads. It splits experts too, or, with expert parallelism, gives each rank complete experts. Norms,
routers and MLA's down-projections are replicated on each rank (ReplicatedLinear).
"""

from dataclasses import dataclass
from functools import cache
from typing import Self

from vllm_eks.json_fields import Fields
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import GroupedQuery, Latent, LinearState

BYTES_PER_16BIT = 2


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """Bytes of one decoder layer, by type of split."""

    query_output_bytes: float
    key_value_bytes: float
    mlp_bytes: float
    """Dense MLP or shared expert: split over TP."""
    expert_bytes: float
    """Routed experts: split over TP, or distributed one by one with expert parallelism."""
    replicated_bytes: float
    """Norms, router, MLA down-projections: replicated on every rank."""
    parameters: int = 0
    group_bytes: float = 0.0
    """Mamba's B and C: split at most as many ways as there are groups."""
    groups: int = 1
    kv_heads: int = 0
    """KV heads of this layer, or 0 when they are the model's."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Return the bytes in a row of a lock file, of which its `indices` are taken.

        Raises:
            WrongField: It lacks a part, or has one of another name or type.
        """
        read = cls(
            query_output_bytes=fields.required("query_output_bytes", float),
            key_value_bytes=fields.required("key_value_bytes", float),
            mlp_bytes=fields.required("mlp_bytes", float),
            expert_bytes=fields.required("expert_bytes", float),
            replicated_bytes=fields.required("replicated_bytes", float),
            parameters=fields.optional("parameters", int, cls.parameters),
        )
        fields.end()
        return read

    def rank_bytes(self, *, tensor_parallel_size: int, kv_heads: int, expert_share: float) -> float:
        """Return the bytes of this layer on one rank, with `expert_share` of its experts."""
        return (
            (self.query_output_bytes + self.mlp_bytes) / tensor_parallel_size
            + self.key_value_bytes / min(tensor_parallel_size, self.kv_heads or kv_heads)
            + self.group_bytes / (tensor_parallel_size if self.groups % tensor_parallel_size == 0 else self.groups)
            + self.expert_bytes * expert_share
            + self.replicated_bytes
        )

    @property
    def total_bytes(self) -> float:
        """Bytes of the layer in the checkpoint."""
        return (
            self.query_output_bytes
            + self.key_value_bytes
            + self.group_bytes
            + self.mlp_bytes
            + self.expert_bytes
            + self.replicated_bytes
        )


@dataclass(frozen=True, kw_only=True)
class _Attention:
    """Parameters of the attention, by type of split."""

    split: int
    output: int
    """The part of `split` in the output projection, which may have its own format."""
    key_value: int
    replicated: int
    unquantized: int = 0
    """Split parameters that stay 16-bit in every checkpoint (convolutions)."""


def compute_layer(model: Architecture, index: int) -> LayerWeights:
    """Return the bytes of layer `index`, from the config alone."""
    if model.shapes:
        return shape_bytes(model, index)
    return _layer(model, index, index in model.moe_layers)


def _layer(model: Architecture, index: int, is_moe: bool) -> LayerWeights:
    prefix = f"model.layers.{index}"
    hidden, experts = model.hidden_size, model.experts
    attention = _attention_parameters(model, index)
    of_attention = model.quantization.bytes_of(f"{prefix}.{_attention_module(model, index)}")
    of_output = model.quantization.bytes_of(f"{prefix}.{_output_module(model, index)}")
    routed_bytes = _mlp_bytes(model, f"{prefix}.{model.expert_module}.0")
    mlp_module = model.expert_module.removesuffix(".experts")
    biases, wide = 0, 0
    if is_moe and experts:
        mlp = 3 * hidden * experts.shared_intermediate_size
        routed = 3 * hidden * experts.intermediate_size * experts.count
        router = hidden * experts.count + (hidden if experts.shared_intermediate_size else 0)
        wide = hidden * experts.count if experts.has_wide_router else 0
        shared = "shared_expert" if model.chunk_tokens or model.linear else "shared_experts"
        of_mlp = _mlp_bytes(model, f"{prefix}.{mlp_module}.{shared}")
        if experts.has_bias:
            biases = experts.count * (2 * experts.intermediate_size + hidden)
    else:
        mlp, routed, router = 3 * hidden * model.intermediate_size, 0, 0
        of_mlp = _mlp_bytes(model, f"{prefix}.{mlp_module}")
    whole = model.norm_values_per_layer + router + attention.replicated
    # DeepSeek's down-projections are quantized like its other linear layers. Norms and routers never are.
    down = attention.replicated * of_attention if model.latent else attention.replicated * BYTES_PER_16BIT
    return LayerWeights(
        query_output_bytes=(attention.split - attention.output) * of_attention
        + attention.output * of_output
        + attention.unquantized * BYTES_PER_16BIT,
        key_value_bytes=attention.key_value * of_attention,
        mlp_bytes=mlp * of_mlp,
        expert_bytes=routed * routed_bytes + biases * BYTES_PER_16BIT,
        replicated_bytes=(model.norm_values_per_layer + router + wide) * BYTES_PER_16BIT + down,
        parameters=attention.split + attention.unquantized + attention.key_value + mlp + routed + biases + whole,
    )


def _attention_module(model: Architecture, index: int) -> str:
    if isinstance(model.attention[index], LinearState):
        return "linear_attn.in_proj_qkvz"
    return "self_attn.q_b_proj" if model.latent else "self_attn.q_proj"


def _output_module(model: Architecture, index: int) -> str:
    return "linear_attn.out_proj" if isinstance(model.attention[index], LinearState) else "self_attn.o_proj"


def _mlp_bytes(model: Architecture, module: str) -> float:
    """Return the bytes per parameter of an MLP, of which gate and up have two thirds and down the rest."""
    of = model.quantization.bytes_of
    return (2 * of(f"{module}.gate_proj") + of(f"{module}.down_proj")) / 3


def _attention_parameters(model: Architecture, index: int) -> _Attention:
    attention, hidden = model.attention[index], model.hidden_size
    if isinstance(attention, GroupedQuery):
        query = attention.heads * attention.head_dim
        key_value = 2 * attention.kv_heads * attention.head_dim
        return _Attention(
            split=hidden * query * (3 if attention.has_output_gate else 2),
            output=hidden * query,
            key_value=hidden * key_value,
            replicated=(query + key_value) if model.has_qkv_bias else 0,
        )
    if isinstance(attention, Latent):
        return _latent_parameters(attention, hidden)
    if not isinstance(attention, LinearState):
        raise TypeError(f"a family has no {type(attention).__name__}")
    values = attention.value_size
    return _Attention(
        split=hidden * (attention.conv_size + values + 2 * attention.value_heads) + values * hidden,
        output=values * hidden,
        key_value=0,
        replicated=attention.value_head_dim + 2 * attention.value_heads,
        unquantized=attention.conv_size * attention.conv_kernel,
    )


@cache
def _latent_parameters(attention: Latent, hidden: int) -> _Attention:
    query = attention.heads * (attention.qk_nope_head_dim + attention.qk_rope_head_dim)
    rank = attention.q_lora_rank
    up = attention.kv_lora_rank * attention.heads * (attention.qk_nope_head_dim + attention.v_head_dim)
    output = attention.heads * attention.v_head_dim * hidden
    indexer = 0
    if attention.index_heads:
        indexer = (rank or hidden) * attention.index_heads * attention.index_head_dim
        indexer += hidden * (attention.index_head_dim + attention.index_heads)
    return _Attention(
        split=(rank or hidden) * query + up + output,
        output=output,
        key_value=0,
        replicated=(hidden * rank + rank if rank else 0)
        + hidden * (attention.kv_lora_rank + attention.qk_rope_head_dim)
        + attention.kv_lora_rank
        + indexer,
    )


MIXER_MODULES = ("self_attn.q_proj", "self_attn.o_proj", "mixer.in_proj", "mixer.q_proj", "linear_attn.in_proj_qkvz")
MLP_MODULES = ("mlp.gate_proj", "mlp.up_proj", "mixer.up_proj", "feed_forward.up_proj", "feed_forward.w1")
EXPERT_PROJECTIONS = ("gate_proj", "up_proj", "w1")
LAYER_PREFIXES = ("model.layers", "backbone.layers", "model.language_model.layers", "language_model.model.layers")
"""Names of modules in checkpoints, to find those that a quantization leaves in 16 bits."""


def shape_bytes(model: Architecture, index: int) -> LayerWeights:
    """Return the bytes of a layer whose parameters are read from fields."""
    shape = model.shapes[index]
    of_experts = tuple(f"{model.expert_module}.0.{name}" for name in EXPERT_PROJECTIONS)
    mixer, mlp, experts = (_role_bytes(model, index, modules) for modules in (MIXER_MODULES, MLP_MODULES, of_experts))
    return LayerWeights(
        query_output_bytes=shape.split * mixer + shape.unquantized * BYTES_PER_16BIT,
        key_value_bytes=shape.key_value * mixer,
        mlp_bytes=shape.mlp * mlp,
        expert_bytes=shape.experts * experts,
        replicated_bytes=shape.whole * mixer + shape.unquantized_whole * BYTES_PER_16BIT,
        parameters=shape.parameters,
        group_bytes=shape.grouped * mixer,
        groups=shape.groups,
        kv_heads=shape.kv_heads,
    )


def _role_bytes(model: Architecture, index: int, modules: tuple[str, ...]) -> float:
    """Return the bytes per parameter of a role: 16-bit when the quantization ignores one of its usual names.

    A checkpoint whose formats name their modules has the format of the first usual name that it knows.
    """
    quantization = model.quantization
    names = [f"{prefix}.{index}.{module}" for prefix in LAYER_PREFIXES for module in modules]
    schemes = [quantization.of(name) for name in names]
    if not quantization.targets and not quantization.others:
        return quantization.bytes_per_parameter() if all(schemes) else BYTES_PER_16BIT
    found = next((scheme for scheme in schemes if scheme), None)
    return found.bytes_per_parameter() if found else BYTES_PER_16BIT


def absorbed_bytes(model: Architecture) -> float:
    """Return the bytes per layer that MLA adds after loading, before TP splits them.

    vLLM keeps a quantized up-projection of keys and values a second time in 16 bits, as W_UK and W_UV
    (mla_attention.py, process_weights_after_loading). For a 16-bit one these are views.
    """
    if model.latent is None or not model.quantization.covers("model.layers.0.self_attn.kv_b_proj"):
        return 0.0
    latent = model.latent
    per_head = latent.qk_nope_head_dim + latent.v_head_dim
    return latent.kv_lora_rank * latent.heads * per_head * BYTES_PER_16BIT
