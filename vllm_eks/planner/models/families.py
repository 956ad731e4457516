"""The families of models the planner knows: what their config.json leaves unsaid.

Each row was read from vLLM's class of that name (model_executor/models) and its registry in the wheels of 0.10 to 0.33.
All of them implement SupportsPP.
"""

from dataclasses import dataclass
from typing import Literal

from vllm_eks.planner.vllm_version import OLDEST, Version


@dataclass(frozen=True, kw_only=True)
class Family:
    """One architecture name of config.json."""

    since: Version = OLDEST
    mixture: bool = False
    attention: Literal["grouped", "latent", "hybrid"] = "grouped"
    window: Literal["none", "optional", "every other", "pattern"] = "none"
    """`optional`: all layers, where sliding_window is set; `every other`: even layers; `pattern`: five of six."""
    qkv_bias: bool = False
    """True where q, k and v always have a bias; else config.json's attention_bias says so."""
    qk_norm: Literal["none", "head", "projection"] = "none"
    norms: int = 2
    """RMSNorms of hidden size in each layer."""
    ties_by_default: bool = False
    """Whether transformers omits `tie_word_embeddings: true` from the file."""
    default_shared_experts: Literal["none", "n_shared_experts", "same size", "own size"] = "none"
    expert_bias: bool = False
    embedding_everywhere: bool = False
    """Whether the class makes the embedding on every pipeline stage, not only where it is used."""
    head_everywhere: bool = False
    mlp_module: str = "mlp"
    vision: Literal["none", "llama4", "qwen3", "siglip", "pixtral", "kimi"] = "none"
    """Kind of vision tower: some vision_config name none."""
    prefix_images: bool = False
    rotary_share: float = 1.0
    """Part of a head that is rotated, where the class's default is not the whole of it."""
    rotary_32bit: bool = False
    local_rotary: bool = False
    """Gemma 3: layers with a window have rope parameters of their own."""
    image_positions: bool = False
    """Whether the rotary embedding is a multimodal one (`mrope_section`)."""
    indexer_interleaves: bool = False
    """Whether the sparse indexer rotates as the attention does, where the config does not say."""
    chunked_attention: bool = False


_QWEN_3 = Family(qk_norm="head")
_QWEN_3_MOE = Family(qk_norm="head", mixture=True, embedding_everywhere=True, head_everywhere=True)
_GEMMA_3 = Family(
    window="pattern", qk_norm="head", norms=4, ties_by_default=True, embedding_everywhere=True, local_rotary=True
)
_DEEPSEEK = Family(attention="latent", mixture=True, default_shared_experts="n_shared_experts")
_LLAMA_4 = Family(mixture=True, default_shared_experts="same size", mlp_module="feed_forward", chunked_attention=True)

FAMILIES: dict[str, Family] = {
    "LlamaForCausalLM": Family(),
    "MistralForCausalLM": Family(window="optional"),
    "Mistral3ForConditionalGeneration": Family(vision="pixtral"),
    "MixtralForCausalLM": Family(
        mixture=True, window="optional", mlp_module="block_sparse_moe", embedding_everywhere=True, head_everywhere=True
    ),
    "Qwen2ForCausalLM": Family(window="optional", qkv_bias=True),
    "Qwen2MoeForCausalLM": Family(
        qkv_bias=True, mixture=True, default_shared_experts="own size", embedding_everywhere=True, head_everywhere=True
    ),
    "Qwen3ForCausalLM": _QWEN_3,
    "Qwen3MoeForCausalLM": _QWEN_3_MOE,
    "Qwen3VLForConditionalGeneration": Family(qk_norm="head", vision="qwen3", since=(0, 11, 0), image_positions=True),
    "Qwen3VLMoeForConditionalGeneration": Family(
        qk_norm="head",
        mixture=True,
        vision="qwen3",
        since=(0, 11, 0),
        embedding_everywhere=True,
        head_everywhere=True,
        image_positions=True,
    ),
    "Qwen3NextForCausalLM": Family(
        attention="hybrid",
        qk_norm="head",
        mixture=True,
        default_shared_experts="own size",
        since=(0, 10, 2),
        embedding_everywhere=True,
        head_everywhere=True,
        rotary_share=0.25,
    ),
    "Qwen3_5ForConditionalGeneration": Family(
        attention="hybrid",
        qk_norm="head",
        vision="qwen3",
        since=(0, 17, 0),
        embedding_everywhere=True,
        rotary_share=0.25,
        image_positions=True,
    ),
    "Qwen3_5MoeForConditionalGeneration": Family(
        attention="hybrid",
        qk_norm="head",
        mixture=True,
        default_shared_experts="own size",
        vision="qwen3",
        since=(0, 17, 0),
        embedding_everywhere=True,
        rotary_share=0.25,
        image_positions=True,
    ),
    "Gemma2ForCausalLM": Family(window="every other", norms=4, ties_by_default=True, embedding_everywhere=True),
    "Gemma3ForCausalLM": _GEMMA_3,
    "Gemma3ForConditionalGeneration": Family(
        window="pattern",
        qk_norm="head",
        norms=4,
        ties_by_default=True,
        vision="siglip",
        prefix_images=True,
        embedding_everywhere=True,
        local_rotary=True,
    ),
    "Phi3ForCausalLM": Family(window="optional"),
    "DeepseekV2ForCausalLM": _DEEPSEEK,
    "DeepseekV3ForCausalLM": _DEEPSEEK,
    "DeepseekV32ForCausalLM": Family(
        attention="latent", mixture=True, default_shared_experts="n_shared_experts", since=(0, 11, 0)
    ),
    "GlmMoeDsaForCausalLM": Family(
        attention="latent",
        mixture=True,
        default_shared_experts="n_shared_experts",
        since=(0, 16, 0),
        indexer_interleaves=True,
    ),
    "KimiK25ForConditionalGeneration": Family(
        attention="latent", mixture=True, default_shared_experts="n_shared_experts", vision="kimi", since=(0, 15, 0)
    ),
    "Glm4MoeForCausalLM": Family(mixture=True, default_shared_experts="n_shared_experts", rotary_share=0.5),
    "GptOssForCausalLM": Family(
        mixture=True,
        window="every other",
        expert_bias=True,
        since=(0, 10, 1),
        embedding_everywhere=True,
        head_everywhere=True,
        rotary_32bit=True,
    ),
    "MiniMaxM2ForCausalLM": Family(
        mixture=True, qk_norm="projection", mlp_module="block_sparse_moe", since=(0, 11, 1), rotary_share=0.5
    ),
    "Llama4ForCausalLM": _LLAMA_4,
    "Llama4ForConditionalGeneration": Family(
        mixture=True,
        default_shared_experts="same size",
        mlp_module="feed_forward",
        chunked_attention=True,
        vision="llama4",
    ),
}

ASSUMED_DENSE = Family()
"""How an unknown architecture is read with --assume-dense: a plain decoder with grouped-query attention."""
