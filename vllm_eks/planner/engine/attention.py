"""The attention backend that vLLM selects, as far as it determines memory or refuses a KV cache.

Sources: platforms/cuda.py (_get_backend_priorities and, up to 0.17, check_and_update_config), the classes in
v1/attention/backends, and utils/torch_utils.py (resolve_kv_cache_dtype_string) in the wheels of 0.10 to 0.32. The image
is assumed to have FlashInfer and FlashMLA, as vLLM's own images have.
"""

from collections.abc import Iterator

from vllm_eks.planner.engine.engine_flags import AUTO
from vllm_eks.planner.engine.flag_rules import BFLOAT16_SINCE_SM, runs_in_32_bits
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import (
    BFLOAT16_KV_CHECKED,
    BFLOAT16_LATENT_KV_CHECKED,
    CHECKPOINT_DECIDES_KV_DTYPE,
    COMPRESSED_CHECKPOINT_DECIDES_KV_DTYPE,
    COMPRESSED_DEFAULT_IS_FP8,
    FLASH_ATTENTION_MLA_FIRST,
    FLASHINFER_LARGE_HEADS,
    FLASHINFER_MLA_FIRST,
    FLASHINFER_SPARSE_FP8,
    FP8_KV_OF_LARGE_HEADS,
    GLM_FP8_KV_ON_BLACKWELL,
    IMAGES_ON_BLACKWELL,
    NAMED_KV_DTYPE_WINS,
    PREFIX_IMAGES_CAN_BE_OFF,
    SPARSE_FLASH_ATTENTION,
    SPARSE_FP8_HAS_ONE_NAME,
    SPARSE_FP8_KV_BY_DEFAULT,
    SPARSE_ON_CONSUMER_BLACKWELL,
    TRITON_MLA_FP8,
    WEIGHTS_ONLY_TAKES_E5M2,
)
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import Beside, GroupedQuery
from vllm_eks.planner.models.quantization import Quantization
from vllm_eks.planner.vllm_version import Version

BLOCK_TOKENS = 16
"""vLLM's default --block-size on CUDA."""
BACKEND_BLOCKS = {"FLASHMLA": 64, "CUTLASS_MLA": 128, "TRITON_MLA": 16, "FLASH_ATTN_MLA": 16}
"""Backend of latent attention -> tokens in its blocks (get_supported_kernel_block_sizes of 0.21 to 0.32)."""
SPARSE_BLOCK_TOKENS = 64
"""The indexer's cache and FlashMLA's sparse kernel need blocks of 64 tokens."""
PACKED_SPARSE_BYTES = 656
"""fp8_ds_mla: a token's latent vector in FP8 (512), its scales (16) and its rotary part in 16 bits (128), packed."""
FEW_HEADS = 16
"""With at most this many heads per rank, the first versions with FlashInfer's sparse kernel prefer it."""
TRITON_FP8_SINCE_SM = 89
"""Triton compiles 8-bit floats (fp8e4nv) since compute capability 8.9 (triton_attn.py)."""
FLASHINFER_HEADS = frozenset({64, 128, 256, 512})
"""Values of a head that FlashInfer's kernels have (flashinfer.py, get_supported_head_sizes)."""
LARGE_HEAD = 512
"""Values of a head of Gemma 4's layers with full attention."""
FLASHINFER_MLA_NOPE: dict[int, Version] = {128: (0, 15, 0), 64: (0, 18, 0), 192: (0, 19, 0)}
"""qk_nope_head_dim of FlashInfer's MLA kernels, and the first version that accepts it."""


def kv_cache_dtype(model: Architecture, sm: int, options: ResolvedOptions) -> str:
    """Return the KV cache dtype that vLLM uses: the requested one, the checkpoint's, or `auto` for the model's own."""
    quantization, version, asked = model.quantization, options.version, options.kv_cache_dtype
    compressed = quantization.method == "compressed-tensors"
    since = COMPRESSED_CHECKPOINT_DECIDES_KV_DTYPE if compressed else CHECKPOINT_DECIDES_KV_DTYPE
    decides = quantization.kv_cache_dtype != "auto" and version >= since and not (compressed and model.latent)
    if decides and (asked == "auto" or (compressed and version < NAMED_KV_DTYPE_WINS)):
        return quantization.kv_cache_dtype
    if asked == "auto" and _is_sparse(model):
        if sm >= 120:
            return "fp8"
        if version < SPARSE_FP8_KV_BY_DEFAULT[1] and version >= SPARSE_FP8_KV_BY_DEFAULT[0]:
            return "fp8"
        if model.name.startswith("Glm") and version >= GLM_FP8_KV_ON_BLACKWELL and 100 <= sm < 120:
            return "fp8_e4m3"
    return asked


def kv_value_bytes(model: Architecture, sm: int, options: ResolvedOptions) -> int:
    """Return the bytes of one KV value: 1 for FP8, otherwise 2, or 4 for a model in float32.

    vLLM runs 32-bit checkpoints in 16 bits.
    """
    dtype = kv_cache_dtype(model, sm, options)
    if is_fp8(dtype):
        return 1
    return 4 if dtype == AUTO and runs_in_32_bits(model, sm, options.flags) else 2


def is_fp8(dtype: str) -> bool:
    """Return whether a KV cache dtype is one of the 8-bit floats."""
    return dtype.startswith("fp8")


def latent_block_tokens(model: Architecture, sm: int, options: ResolvedOptions) -> int:
    """Return the tokens in a block of latent attention, which depend on its kernels."""
    version = options.version
    if _is_sparse(model):
        return SPARSE_BLOCK_TOKENS
    if options.flags.attention_backend in BACKEND_BLOCKS:
        return BACKEND_BLOCKS[options.flags.attention_backend]
    if sm == 90:
        # FlashAttention takes any block, FlashMLA only 64 tokens. FlashAttention has no FP8 cache here.
        fp8 = is_fp8(kv_cache_dtype(model, sm, options))
        return 64 if fp8 or version < FLASH_ATTENTION_MLA_FIRST else BLOCK_TOKENS
    if 100 <= sm < 120:
        latent = model.latent
        accepted = latent and version >= FLASHINFER_MLA_NOPE.get(latent.qk_nope_head_dim, (99, 0, 0))
        if not accepted or version < FLASHINFER_MLA_FIRST:
            return 128
        return 32 if version >= FLASH_ATTENTION_MLA_FIRST else 64
    return BLOCK_TOKENS


def grouped_block_tokens(model: Architecture, sm: int, options: ResolvedOptions) -> int:
    """Return the tokens of a block of grouped-query attention: 64 for some kernels of large heads.

    Sources: flash_attn.py (_get_sm90_fa4_fp8_kv_block_size) for FP8 caches on Hopper; triton_flashinfer.py for images
    that attend in both directions on Blackwell.
    """
    sizes = {one.head_dim for one in model.attention if isinstance(one, GroupedQuery)}
    both_ways = model.has_prefix_images and _takes_images(model, options)
    wide = runs_in_32_bits(model, sm, options.flags)
    if 100 <= sm < 110 and options.version >= IMAGES_ON_BLACKWELL and both_ways and not wide:
        return 64 if sizes <= {256, LARGE_HEAD} else BLOCK_TOKENS
    of_kernel = sm == 90 and is_fp8(kv_cache_dtype(model, sm, options)) and options.version >= FP8_KV_OF_LARGE_HEADS
    return 64 if of_kernel and max(sizes, default=0) == LARGE_HEAD else BLOCK_TOKENS


def latent_token_bytes(model: Architecture, sm: int, options: ResolvedOptions, *, tensor_parallel_size: int) -> int:
    """Return the bytes of a token's latent vector in one layer's cache."""
    latent = model.latent
    if latent is None:
        return 0
    dtype = kv_cache_dtype(model, sm, options)
    packed = is_fp8(dtype) and _is_packed(model, sm, options.version, tensor_parallel_size, dtype)
    if _is_sparse(model) and packed:
        return PACKED_SPARSE_BYTES
    return (latent.kv_lora_rank + latent.qk_rope_head_dim) * kv_value_bytes(model, sm, options)


def _is_packed(model: Architecture, sm: int, version: Version, tp: int, dtype: str) -> bool:
    """Return whether FP8 vectors of sparse attention have DeepSeek's packed format: all but FlashInfer's."""
    if 90 <= sm < 100:
        return dtype != "fp8_e4m3" or version < SPARSE_FP8_HAS_ONE_NAME[1]
    if not 100 <= sm < 120 or version < FLASHINFER_SPARSE_FP8[0]:
        return True
    few = model.num_attention_heads // tp <= FEW_HEADS
    return not few and version < FLASHINFER_SPARSE_FP8[1]


def _is_sparse(model: Architecture) -> bool:
    return model.latent is not None and model.latent.index_heads > 0


def attention_errors(model: Architecture, sm: int, options: ResolvedOptions) -> Iterator[str]:
    """Yield why no attention backend of this version runs the model or its KV cache on a GPU."""
    version, dtype = options.version, kv_cache_dtype(model, sm, options)
    if _is_sparse(model):
        consumer = sm >= 120 and version >= SPARSE_ON_CONSUMER_BLACKWELL
        if not (90 <= sm < 120 or consumer):
            yield "sparse attention (DeepSeek V3.2) needs compute capability 9.0 or 10.0"
        if 90 <= sm < 100:
            yield from _sparse_float16_errors(dtype, options)
        since, until = SPARSE_FP8_HAS_ONE_NAME
        if 90 <= sm < 100 and dtype == "fp8_e4m3" and since <= version < until:
            yield "sparse attention (DeepSeek V3.2) has no fp8_e4m3 KV cache on Hopper: use --kv-cache-dtype fp8"
    elif model.latent and is_fp8(dtype) and not 90 <= sm < 120:
        if version < TRITON_MLA_FP8:
            yield "latent attention with an FP8 KV cache needs compute capability 9.0 or 10.0 before vLLM 0.18"
        elif sm < 89:
            yield "latent attention with an FP8 KV cache needs compute capability 8.9 or higher"
    if model.compressed and sm < 90:
        yield "compressed attention (DeepSeek V4) needs compute capability 9.0 or higher"
    if model.compressed and not is_fp8(dtype) and (dtype != AUTO or version < COMPRESSED_DEFAULT_IS_FP8):
        yield f"compressed attention (DeepSeek V4) has no KV cache of type {dtype}: use --kv-cache-dtype fp8"
    if model.latent and dtype == "fp8_e5m2":
        yield "latent attention has no fp8_e5m2 KV cache"
    if model.latent and runs_in_32_bits(model, sm, options.flags):
        yield "latent attention does not run in float32: use bfloat16 or float16"
    if model.name == "GptOssForCausalLM" and is_fp8(dtype) and sm < 89:
        yield "attention sinks (gpt-oss) with an FP8 KV cache need compute capability 8.9 or higher"
    if is_fp8(dtype) and BFLOAT16_SINCE_SM <= sm < TRITON_FP8_SINCE_SM and not (model.latent or model.compressed):
        yield from _only_triton(model, sm, options)
    if dtype == "fp8_e5m2" and not model.compressed:  # whose format is the same for every name of FP8
        yield from _e5m2_errors(model.quantization, version)
    checked = BFLOAT16_LATENT_KV_CHECKED if model.latent else BFLOAT16_KV_CHECKED
    if dtype == "bfloat16" and sm < BFLOAT16_SINCE_SM and version >= checked:
        yield "a bfloat16 KV cache needs compute capability 8.0 or higher"


def _sparse_float16_errors(dtype: str, options: ResolvedOptions) -> Iterator[str]:
    """Yield why no kernel of sparse attention on Hopper runs with float16: FlashAttention's does since 0.25."""
    older = options.version < SPARSE_FLASH_ATTENTION
    if dtype == "float16" and older:
        yield "sparse attention (DeepSeek V3.2) has no float16 KV cache on Hopper before vLLM 0.25: use auto"
    if options.flags.dtype == "float16" and (older or is_fp8(dtype)):
        yield "sparse attention (DeepSeek V3.2) on Hopper needs bfloat16 values here: use --dtype bfloat16"


def _only_triton(model: Architecture, sm: int, options: ResolvedOptions) -> Iterator[str]:
    """Yield why Triton would run the model and not FlashInfer: Triton's FP8 needs newer GPUs."""
    taken = FLASHINFER_HEADS if options.version >= FLASHINFER_LARGE_HEADS else FLASHINFER_HEADS - {LARGE_HEAD}
    grouped = (one.attention if isinstance(one, Beside) else one for one in model.attention)
    others = sorted({one.head_dim for one in grouped if isinstance(one, GroupedQuery)} - taken)
    reasons = {
        f"heads of {', '.join(map(str, others))} values": bool(others),
        "--attention-backend TRITON_ATTN": options.flags.attention_backend == "TRITON_ATTN",
        "float32 values": runs_in_32_bits(model, sm, options.flags),
        "images that attend in both directions": model.has_prefix_images and _takes_images(model, options),
    }
    for reason, applies in reasons.items():
        if applies:
            yield f"an FP8 KV cache with {reason} needs compute capability 8.9 or higher"


def _takes_images(model: Architecture, options: ResolvedOptions) -> bool:
    """Return whether the model is served with images. Before 0.27 a model that can take them counts as such."""
    return options.version < PREFIX_IMAGES_CAN_BE_OFF or (
        model.vision is not None and options.has_tower(model.vision.kind)
    )


def _e5m2_errors(quantization: Quantization, version: Version) -> Iterator[str]:
    """Yield why the checkpoint excludes an fp8_e5m2 KV cache: vLLM creates scales for it."""
    compressed = quantization.method == "compressed-tensors"
    if quantization.stores_kv_scales:
        yield "an fp8_e5m2 KV cache does not work with FP8 weights"
    elif compressed and version < WEIGHTS_ONLY_TAKES_E5M2:
        yield "an fp8_e5m2 KV cache goes with compressed-tensors weights only from vLLM 0.24"
