"""The supported model families, with the properties that their config.json does not state.

Source of each row: vLLM's class with that name (model_executor/models) and its registry in the wheels of 0.10 to 0.33.
All of them implement SupportsPP.
"""

from dataclasses import dataclass
from typing import Literal

from vllm_eks.planner.vllm_version import OLDEST, Version


@dataclass(frozen=True, kw_only=True)
class Family:
    """The properties of one architecture name in config.json."""

    since: Version = OLDEST
    mixture: bool = False
    attention: Literal["grouped", "latent", "hybrid"] = "grouped"
    window: Literal["none", "optional", "every other", "pattern"] = "none"
    """`optional`: all layers if sliding_window is set. `every other`: even layers. `pattern`: five of six layers."""
    qkv_bias: bool = False
    """Whether q, k and v always have a bias. Otherwise config.json's attention_bias decides."""
    qk_norm: Literal["none", "head", "projection"] = "none"
    norms: int = 2
    """RMSNorms of hidden size per layer."""
    ties_by_default: bool = False
    """Whether transformers omits `tie_word_embeddings: true` from the file."""
    default_shared_experts: Literal["none", "n_shared_experts", "same size", "own size"] = "none"
    expert_bias: bool = False
    embedding_everywhere: bool = False
    """Whether the class creates the embedding on all pipeline stages, not only where it is used."""
    head_everywhere: bool = False
    mlp_module: str = "mlp"
    vision: Literal["none", "llama4", "qwen3", "siglip", "pixtral", "kimi"] = "none"
    """Kind of vision tower, because some vision_config sections do not name it."""
    prefix_images: bool = False
    rotary_share: float = 1.0
    """The class's default for the rotated share of a head."""
    rotary_32bit: bool = False
    router_32bit: bool = False
    """Whether the class creates the routers of experts in float32, whatever the checkpoint has."""
    local_rotary: bool = False
    """Gemma 3: layers with a window have their own rope parameters."""
    image_positions: bool = False
    """Whether the rotary embedding is multimodal (`mrope_section`)."""
    indexer_interleaves: bool = False
    """Whether the sparse indexer rotates in the same order as the attention, when the config does not state it."""
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
    "Glm4MoeForCausalLM": Family(
        mixture=True, default_shared_experts="n_shared_experts", rotary_share=0.5, router_32bit=True
    ),
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
        mixture=True,
        qk_norm="projection",
        mlp_module="block_sparse_moe",
        since=(0, 11, 1),
        rotary_share=0.5,
        router_32bit=True,
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
