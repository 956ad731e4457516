"""What a model is made of: the facts that decide parallel sizes and memory. Pure data, read by config_json."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from vllm_eks.planner.models.quantization import NONE, Quantization
from vllm_eks.planner.vllm_version import OLDEST, Version


@dataclass(frozen=True, kw_only=True)
class GroupedQuery:
    """Attention with query heads in groups that share keys and values; multi-head where both counts are equal."""

    heads: int
    kv_heads: int
    head_dim: int
    window_tokens: int | None = None
    """Sliding window; None attends to the whole context."""
    has_output_gate: bool = False
    """Qwen3-Next and Qwen3.5: q_proj makes a gate as large as the query beside it."""


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
    """Heads of the sparse indexer (DeepSeek V3.2); 0 where there is none."""
    index_head_dim: int = 0


@dataclass(frozen=True, kw_only=True)
class LinearState:
    """Gated delta net (Qwen3-Next, Qwen3.5): a state of fixed size a request instead of a growing KV cache."""

    key_heads: int
    value_heads: int
    key_head_dim: int
    value_head_dim: int
    conv_kernel: int
    state_value_bytes: int
    """Bytes of one value of the recurrent state; the convolution's state is 16-bit."""

    @property
    def key_size(self) -> int:
        """Values of all keys."""
        return self.key_heads * self.key_head_dim

    @property
    def value_size(self) -> int:
        """Values of all values."""
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
    """All shared experts together; 0 where there is none."""
    has_bias: bool = False


@dataclass(frozen=True, kw_only=True)
class Vision:
    """The vision part: what it weighs, and what vLLM runs through it when it profiles memory."""

    kind: str
    """Kind of tower: llama4, qwen3, siglip, pixtral or kimi."""
    parameters: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    profile_patches: int
    """Patches of the largest item that vLLM profiles with."""
    profile_tokens: int
    """Tokens which that item becomes in the decoder."""
    output_size: int
    """Values of one such token, deep-stack features included."""
    is_sharded: bool = True
    """Whether tensor parallelism splits the tower."""


@dataclass(frozen=True, kw_only=True)
class RotaryTable:
    """Cosines and sines of every position that layers with the same rope parameters share (planner.rotary)."""

    positions: int
    dim: int
    value_bytes: int
    layers: Literal["all", "full", "sliding"] = "all"
    """Which layers use it: all that rotate, those that attend to everything, or those with a window."""
    repeats_positions: bool = False
    """Whether some versions of vLLM hold every position several times, for videos."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Architecture:
    """The config fields that decide parallel sizes and memory.

    Compared by identity: it is read once, and is the key of what is computed from it.
    """

    name: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    intermediate_size: int
    """Of the dense layers; 0 where every layer is a mixture of experts."""
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
    """Layers for multi-token prediction that the repository may hold and that vLLM does not load by default."""
    since: Version = OLDEST
    """First vLLM version that knows the architecture."""
    chunk_tokens: int | None = None
    """Llama 4: local layers attend inside fixed chunks of this length."""
    unchunked_layers: frozenset[int] = frozenset()
    """Llama 4's global layers (no_rope_layers)."""
    embedding_everywhere: bool = False
    """Whether vLLM makes the embedding on every pipeline stage; else on the first (tied: also on the last)."""
    head_everywhere: bool = False
    """Whether vLLM makes the head on every pipeline stage; else on the last."""
    has_prefix_images: bool = False
    """Gemma 3: images attend in both directions, so one image must fit into a batch."""
    is_assumed: bool = False
    """An architecture the planner does not know, read as a dense decoder: everything about it is an estimate."""

    @property
    def dense_layers(self) -> int:
        """Layers with a dense MLP."""
        return self.num_hidden_layers - len(self.moe_layers)

    @cached_property
    def latent(self) -> Latent | None:
        """The latent attention, which all layers of such a model share."""
        first = self.attention[0]
        return first if isinstance(first, Latent) else None

    @cached_property
    def linear(self) -> LinearState | None:
        """The linear attention of a hybrid model."""
        return next((a for a in self.attention if isinstance(a, LinearState)), None)

    @property
    def kind(self) -> Literal["dense", "mixture of experts", "hybrid"]:
        """What the model is, in the field's words."""
        if self.linear:
            return "hybrid"
        return "mixture of experts" if self.experts else "dense"
