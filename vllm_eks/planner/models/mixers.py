"""The part of a decoder layer that mixes the tokens, as data. memory/states.py computes the states that some of them
keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


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


@dataclass(frozen=True, kw_only=True)
class Mamba2:
    """A state-space mixer with heads (Nemotron-H, Granite 4, Falcon-H1)."""

    heads: int
    head_dim: int
    groups: int
    """Groups of heads that share B and C. TP copies a group that it cannot split."""
    state_size: int
    conv_kernel: int
    state_value_bytes: int

    @property
    def size(self) -> int:
        """Channels over all heads."""
        return self.heads * self.head_dim


@dataclass(frozen=True, kw_only=True)
class Mamba1:
    """A state-space mixer without heads (Jamba, Falcon-Mamba)."""

    size: int
    """Channels (mamba_expand x hidden size)."""
    state_size: int
    conv_kernel: int
    time_step_rank: int
    state_value_bytes: int


@dataclass(frozen=True, kw_only=True)
class ShortConv:
    """A gated short convolution (LFM2)."""

    size: int
    conv_kernel: int


@dataclass(frozen=True, kw_only=True)
class KimiDelta:
    """Kimi delta attention (Kimi Linear, Kimi K3)."""

    heads: int
    head_dim: int
    conv_kernel: int
    has_full_rank_gate: bool = False
    has_full_rank_decay: bool = False
    """The same for the projection to the decay (Bailing V3)."""
    saves_checkpoints: bool = False
    """Whether its kernels also save a state in the middle of a prompt (FlashKDA, which needs a bound of the gate)."""


@dataclass(frozen=True, kw_only=True)
class Lightning:
    """Linear attention with one state per head (MiniMax-Text, Bailing 2.5)."""

    heads: int
    head_dim: int
    state_value_bytes: int


StateMixer = LinearState | Mamba2 | Mamba1 | ShortConv | KimiDelta | Lightning


@dataclass(frozen=True, kw_only=True)
class NoMixer:
    """A layer with an MLP or experts only (Nemotron-H), or with nothing (DeciLM)."""


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
    value_dim: int | None = None
    """Size of one head's value, or None when it is that of a key."""
    index_heads: int = 0
    """Heads of the block-sparse indexer (MiniMax M3), or 0 without one."""
    index_head_dim: int = 0
    query_rank: int = 0
    """Size that the query is projected to before its heads, with keys and values whole on every rank (Step 3), or 0."""
    has_cross: bool = False
    """Whether the layer also attends to an encoder's output, with weights and a cache of their own (Whisper)."""
    shares_cache: bool = False
    """Whether the layer reads the cache of an earlier one and keeps none (Gemma 3n, Gemma 4)."""

    @property
    def value_size(self) -> int:
        """Size of one head's value."""
        return self.value_dim or self.head_dim


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
    caches_heads: bool = False
    """Whether the cache keeps keys and values of each head, as long as a key, instead of the latent (MiniCPM3)."""
    has_output_gate: bool = False
    """Kimi K3: a gate as large as the output."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Attention and a state-space mixer in one layer (Falcon-H1)."""

    attention: GroupedQuery
    state: Mamba2


@dataclass(frozen=True, kw_only=True)
class CompressedLatent:
    """Attention of DeepSeek V4: the last tokens, and one latent for each `ratio` tokens before them."""

    heads: int
    head_dim: int
    rope_dim: int
    q_lora_rank: int
    output_groups: int
    output_rank: int
    """Size of the output of each group before they are joined."""
    window_tokens: int
    ratio: int
    """Tokens that one latent represents, or 0 in layers that see the window only."""
    index_heads: int
    """Heads of the sparse indexer, or 0 in layers without one."""
    index_head_dim: int
    streams: int
    """Residual streams of the layer, which it mixes (hyper-connections)."""

    @property
    def overlap(self) -> int:
        """How many latents a token goes into: two in layers with the indexer's ratio."""
        return 2 if self.ratio == INDEXED_RATIO else 1


INDEXED_RATIO = 4
"""The ratio of layers with an indexer and overlapping latents (models/deepseek_v4/attention.py)."""

Attention = GroupedQuery | Latent | CompressedLatent | StateMixer | Beside | NoMixer

LayerKind = Literal["full", "window", "chunk", "linear", "mamba", "conv", "beside", "mlp", "moe"]
"""Kinds of layers in a config.json. `linear`: a delta net or lightning attention. `beside`: attention and Mamba in one
layer. `mlp`, `moe`: no mixer."""
LAYER_WORDS: Mapping[str, LayerKind] = {
    "full_attention": "full",
    "attention": "full",
    "full": "full",
    "global": "full",
    "global_attention": "full",
    "hybrid_sliding": "window",
    "hybrid": "beside",
    "sliding_attention": "window",
    "sliding_window": "window",
    "sliding": "window",
    "local": "window",
    "local_attention": "window",
    "swa": "window",
    "chunked_attention": "chunk",
    "indexed_attention": "full",
    "deepseek_sparse_attention": "full",
    "linear_attention": "linear",
    "gated_deltanet": "linear",
    "kda": "linear",
    "mamba": "mamba",
    "mamba2": "mamba",
    "conv": "conv",
    "short_conv": "conv",
    "mlp": "mlp",
    "moe": "moe",
}
"""The words in lists with a kind for each layer."""
