"""The properties of a model that decide parallel sizes and memory, as data. config_json.py reads them."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from vllm_eks.planner.models.image_grid import ImageGrid
from vllm_eks.planner.models.mixers import Attention, Beside, CompressedLatent, Latent, LinearState, StateMixer
from vllm_eks.planner.models.quantization import NONE, Quantization
from vllm_eks.planner.vllm_version import OLDEST, Version

if TYPE_CHECKING:
    from vllm_eks.planner.models.layer_shape import LayerShape

YARN_IS_SCALED_ALREADY: Version = (0, 30, 0)
"""The factor of YaRN no longer lengthens the context (config/model.py; in 0.30.0, not in 0.29.0)."""

Confidence = Literal["known", "estimated"]
"""`known`: a family for which the planner has rules. `estimated`: derived from the config's fields alone."""


@dataclass(frozen=True, kw_only=True)
class Experts:
    """The mixture-of-experts part of each MoE layer."""

    count: int
    per_token: int
    intermediate_size: int
    shared_intermediate_size: int
    """Total size of the shared experts, or 0 without any."""
    has_bias: bool = False
    has_wide_router: bool = False
    """Whether the router has 32-bit values (MiniMax M2, GLM 4.5)."""
    matrices: int = 3
    """Three for a gated MLP, two for a plain one (Nemotron-H)."""
    least_shard: int = 0
    """The smallest size of a rank's shard of an expert, to which vLLM pads smaller ones (Kimi Linear), or 0."""
    input_size: int | None = None
    """Width of an expert's input and output where it is below the hidden size, or None."""


@dataclass(frozen=True, kw_only=True)
class Vision:
    """The vision tower: its size, and the input that vLLM profiles memory with."""

    kind: str
    """Kind of tower: llama4, qwen3, siglip, pixtral or kimi."""
    parameters: int
    whole_parameters: int = 0
    """The part of them that TP does not split, such as the patch embedding and position tables."""
    projector_parameters: int = 0
    """The part of them that TP splits even where each rank has the whole encoder (Llama 4)."""
    attention_parameters: int = 0
    """The part of them that TP splits only where it divides the heads (InternVL). Elsewhere each rank has all of it."""
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
    """Whether tensor parallelism splits the tower's layers."""
    grid: ImageGrid | None = None
    """The patches of an image of another size, or None if every image has the same number or it is unknown."""
    is_staged: bool = False
    """Whether vLLM divides the tower's layers over pipeline stages (its Whisper encoder). Others are on every stage."""
    whole_since: Version | None = None
    """The first vLLM version that no longer splits the tower, or None if every version splits it."""

    def split_over(self, tensor_parallel_size: int, version: Version) -> int:
        """Return the number of ranks over which this version splits the tower's layers."""
        whole = not self.is_sharded or (self.whole_since is not None and version >= self.whole_since)
        return 1 if whole else tensor_parallel_size


@dataclass(frozen=True, kw_only=True)
class RotaryTable:
    """A table of cosines and sines, shared by layers with the same rope parameters (planner/models/rotary.py)."""

    positions: int
    dim: int
    value_bytes: int
    layers: Literal["all", "full", "sliding"] = "all"
    """The layers that use it: all with rotary embedding, those with full attention, or those with a window."""
    is_wide_in_eager: bool = False
    """Whether it has 32-bit values with --enforce-eager (DeepSeek's scaled embedding)."""
    repeats_positions: bool = False
    """Whether some vLLM versions repeat each position for videos."""
    is_of_each_layer: bool = False
    """Whether each layer has a table of its own (Ernie 4.5 VL)."""


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
    context_tokens: int
    """The longest context that vLLM accepts without an override, since YARN_IS_SCALED_ALREADY."""
    older_context_tokens: int
    """The same in earlier versions."""
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
    embedding_is_whole: bool = False
    """Whether each rank has the complete embedding (Whisper)."""
    head_everywhere: bool = False
    """Whether vLLM creates the head on all pipeline stages, not only on the last."""
    has_prefix_images: bool = False
    """Whether images attend in both directions (Gemma 3 and 4)."""
    without_pipeline: str = ""
    """Why vLLM's class does not start with pipeline parallelism, or empty if it does."""
    is_attention_free: bool = False
    """Whether the class has no attention at all (Mamba)."""
    confidence: Confidence = "known"
    shapes: tuple["LayerShape", ...] = ()
    """Parameters of each layer where they are read from fields, or none for a family."""
    expert_blocks: int = 0
    """Sets of experts that the layers share, one for each `index % expert_blocks` (Intern-S2 Mobius), or 0."""
    layers_of_block: int = 1
    """Layers that always share a stage: the halves of LongCat's layers."""
    extra_parameters: int = 0
    """Embeddings of each layer (Gemma 3n, Gemma 4), on the stages that have the embedding and split like it."""
    position_parameters: int = 0
    """Embedding of learned positions, on the same stages. TP does not split it."""

    def context_limit(self, version: Version) -> int:
        """Return the longest context that this vLLM version accepts without an override."""
        return self.context_tokens if version >= YARN_IS_SCALED_ALREADY else self.older_context_tokens

    @property
    def dense_layers(self) -> int:
        """Layers with a dense MLP."""
        return self.num_hidden_layers - len(self.moe_layers)

    @cached_property
    def mixers(self) -> tuple[Attention, ...]:
        """Each kind of attention or other mixer, once."""
        return tuple(dict.fromkeys(self.attention))

    @cached_property
    def latent(self) -> Latent | None:
        """The latent attention if the model has it. All its latent layers have the same sizes."""
        return next((one for one in self.attention if isinstance(one, Latent)), None)

    @cached_property
    def compressed(self) -> CompressedLatent | None:
        """The compressed attention if the model has it."""
        return next((one for one in self.attention if isinstance(one, CompressedLatent)), None)

    @cached_property
    def has_states(self) -> bool:
        """Whether any layer keeps a state of fixed size per request."""
        return any(isinstance(a, StateMixer | Beside) for a in self.attention)

    @cached_property
    def linear(self) -> LinearState | None:
        """The linear attention if the model is a hybrid."""
        return next((a for a in self.attention if isinstance(a, LinearState)), None)

    @property
    def kind(self) -> Literal["dense", "mixture of experts", "hybrid"]:
        """The kind of model."""
        if self.has_states:
            return "hybrid"
        return "mixture of experts" if self.experts else "dense"
