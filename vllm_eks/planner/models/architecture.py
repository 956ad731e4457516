"""The properties of a model that decide parallel sizes and memory, as data. config_json.py reads them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from vllm_eks.planner.models.quantization import NONE, Quantization
from vllm_eks.planner.vllm_version import OLDEST, Version


@dataclass(frozen=True, kw_only=True)
class GroupedQuery:
    """Grouped-query attention, or multi-head attention when both head counts are equal."""

    heads: int
    kv_heads: int
    head_dim: int
    window_tokens: int | None = None
    """Sliding window, or None for the whole context."""
    has_output_gate: bool = False
    """Qwen3-Next and Qwen3.5: q_proj also outputs a gate as large as the query."""


@dataclass(frozen=True, kw_only=True)
class Latent:
    """Multi-head latent attention (DeepSeek V2 and later): one compressed KV vector for all heads."""

    heads: int
    q_lora_rank: int | None
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    index_heads: int = 0
    """Heads of the sparse indexer (DeepSeek V3.2), or 0 without one."""
    index_head_dim: int = 0


@dataclass(frozen=True, kw_only=True)
class LinearState:
    """Gated delta net (Qwen3-Next, Qwen3.5): a fixed-size state per request instead of a growing KV cache."""

    key_heads: int
    value_heads: int
    key_head_dim: int
    value_head_dim: int
    conv_kernel: int
    state_value_bytes: int
    """Bytes of one value of the recurrent state. The convolution's state is 16-bit."""

    @property
    def key_size(self) -> int:
        """Total size of the keys."""
        return self.key_heads * self.key_head_dim

    @property
    def value_size(self) -> int:
        """Total size of the values."""
        return self.value_heads * self.value_head_dim

    @property
    def conv_size(self) -> int:
        """Channels of the convolution: query, key and value."""
        return 2 * self.key_size + self.value_size


Attention = GroupedQuery | Latent | LinearState


@dataclass(frozen=True, kw_only=True)
class Experts:
    """The mixture-of-experts part of each MoE layer."""

    count: int
    per_token: int
    intermediate_size: int
    shared_intermediate_size: int
    """Total size of the shared experts, or 0 without any."""
    has_bias: bool = False


@dataclass(frozen=True, kw_only=True)
class Vision:
    """The vision tower: its size, and the input that vLLM profiles memory with."""

    kind: str
    """Kind of tower: llama4, qwen3, siglip, pixtral or kimi."""
    parameters: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    profile_patches: int
    """Patches of the largest item that vLLM profiles with."""
    profile_tokens: int
    """Decoder tokens of that item."""
    output_size: int
    """Values of one such token, deep-stack features included."""
    is_sharded: bool = True
    """Whether tensor parallelism splits the tower."""


@dataclass(frozen=True, kw_only=True)
class RotaryTable:
    """A table of cosines and sines, shared by layers with the same rope parameters (planner/models/rotary.py)."""

    positions: int
    dim: int
    value_bytes: int
    layers: Literal["all", "full", "sliding"] = "all"
    """The layers that use it: all with rotary embedding, those with full attention, or those with a window."""
    repeats_positions: bool = False
    """Whether some vLLM versions repeat each position for videos."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Architecture:
    """The config fields that decide parallel sizes and memory.

    Compared by identity, because it is parsed once and used as a cache key.
    """

    name: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    intermediate_size: int
    """Size of the dense layers, or 0 when all layers are mixtures of experts."""
    max_position_embeddings: int
    tie_word_embeddings: bool
    has_qkv_bias: bool
    norm_values_per_layer: int
    dtype: str
    attention: tuple[Attention, ...]
    """One for each layer."""
    experts: Experts | None
    moe_layers: frozenset[int]
    vision: Vision | None
    rotary_tables: tuple[RotaryTable, ...] = ()
    quantization: Quantization = NONE
    expert_module: str = "mlp.experts"
    draft_layers: int = 0
    """Layers for multi-token prediction, which the repository may contain and vLLM does not load by default."""
    since: Version = OLDEST
    """First vLLM version that supports the architecture."""
    chunk_tokens: int | None = None
    """Llama 4: local layers attend inside fixed chunks of this length."""
    unchunked_layers: frozenset[int] = frozenset()
    """Llama 4's global layers (no_rope_layers)."""
    embedding_everywhere: bool = False
    """Whether vLLM creates the embedding on all pipeline stages, not only on the first (and the last, if tied)."""
    head_everywhere: bool = False
    """Whether vLLM creates the head on all pipeline stages, not only on the last."""
    has_prefix_images: bool = False
    """Gemma 3: images attend in both directions, so one image must fit in a batch."""
    is_assumed: bool = False
    """Whether an unsupported architecture is planned as a dense decoder, which makes all numbers estimates."""

    @property
    def dense_layers(self) -> int:
        """Layers with a dense MLP."""
        return self.num_hidden_layers - len(self.moe_layers)

    @cached_property
    def latent(self) -> Latent | None:
        """The latent attention if the model has it. All its layers are the same."""
        first = self.attention[0]
        return first if isinstance(first, Latent) else None

    @cached_property
    def linear(self) -> LinearState | None:
        """The linear attention if the model is a hybrid."""
        return next((a for a in self.attention if isinstance(a, LinearState)), None)

    @property
    def kind(self) -> Literal["dense", "mixture of experts", "hybrid"]:
        """The kind of model."""
        if self.linear:
            return "hybrid"
        return "mixture of experts" if self.experts else "dense"
