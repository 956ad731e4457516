"""What each attention backend runs, for --attention-backend: kinds of attention, GPUs, data types and head sizes.

Sources: the classes in v1/attention/backends (supports_compute_capability, supported_dtypes, supports_kv_cache_dtype,
supports_head_size, supports_sink, supports_mm_prefix) of vLLM 0.21.0, 0.27.0 and 0.32.0. vLLM refuses a named backend
that does not run the model (platforms/cuda.py, get_attn_backend_cls).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vllm_eks.planner.engine.attention import is_fp8, kv_cache_dtype
from vllm_eks.planner.engine.flag_rules import runs_in_32_bits
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import GroupedQuery
from vllm_eks.planner.value_limits import OTHER_PLATFORMS
from vllm_eks.planner.vllm_version import Version

TURING_LEFT_FLASHINFER: Version = (0, 27, 0)
"""FlashInfer needs compute capability 8.0 since this version at the latest (7.5 in 0.21.0)."""
FLASHINFER_HEADS = (64, 128, 256)
LARGE_FLASHINFER_HEAD = 512
"""A further head size of FlashInfer since the same version."""


NO_END = 999


@dataclass(frozen=True, kw_only=True)
class Backend:
    """What a backend runs."""

    kind: str = "grouped"
    """Grouped-query, latent or sparse attention."""
    least_sm: int = 0
    below_sm: int = NO_END
    float32: bool = False
    fp8_since_sm: int | None = 0
    """The first compute capability with an FP8 KV cache, or None without one."""
    sinks: bool = True
    prefix_images: bool = True
    """Whether tokens of an image see each other (Gemma 3)."""


BACKENDS: Mapping[str, Backend] = {
    "FLASH_ATTN": Backend(least_sm=80, fp8_since_sm=90, prefix_images=False),
    "FLASHINFER": Backend(least_sm=75, sinks=False, prefix_images=False),
    "TRITON_ATTN": Backend(float32=True),
    "FLEX_ATTENTION": Backend(float32=True, fp8_since_sm=None, sinks=False),
    "TRITON_MLA": Backend(kind="latent"),
    "FLASHMLA": Backend(kind="latent", least_sm=90, below_sm=110),
    "FLASH_ATTN_MLA": Backend(kind="latent", least_sm=90, below_sm=100, fp8_since_sm=None),
    "FLASHINFER_MLA": Backend(kind="latent", least_sm=100, below_sm=110),
    "CUTLASS_MLA": Backend(kind="latent", least_sm=100, below_sm=110),
    "FLASHMLA_SPARSE": Backend(kind="sparse", least_sm=90, below_sm=110),
    "FLASHINFER_MLA_SPARSE": Backend(kind="sparse", least_sm=100, below_sm=110),
    "FLASHINFER_MLA_SPARSE_SM90": Backend(kind="sparse", least_sm=90, below_sm=100),
    "FLASHINFER_MLA_SPARSE_SM120": Backend(kind="sparse", least_sm=120, below_sm=130),
}
"""Backends for NVIDIA GPUs that can be chosen for any model of a kind."""


def backend_errors(model: Architecture, instance: InstanceType, options: ResolvedOptions) -> Iterator[str]:
    """Yield why vLLM refuses the backend of --attention-backend for the model on this GPU."""
    name = options.flags.attention_backend
    if name is None or model.is_attention_free or model.compressed:
        return
    if name.startswith(OTHER_PLATFORMS):
        yield f"--attention-backend {name}: it does not run on NVIDIA GPUs; remove it"
        return
    backend = BACKENDS.get(name)
    reason = _reason(name, backend, model, instance, options) if backend else None
    if reason:
        yield f"--attention-backend {name}: {reason}; remove it, and vLLM chooses one"


def _reason(
    name: str, backend: Backend, model: Architecture, instance: InstanceType, options: ResolvedOptions
) -> str | None:
    sm, kind, dtype = instance.sm, _kind(model), kv_cache_dtype(model, instance.sm, options)
    least = 80 if name == "FLASHINFER" and options.version >= TURING_LEFT_FLASHINFER else backend.least_sm
    if kind != backend.kind:
        return f"it runs {backend.kind} attention, and {model.name} has {kind} attention"
    if not least <= sm < backend.below_sm:
        higher = " or higher" if backend.below_sm == NO_END else ""
        return f"it needs compute capability {_text(least)}{higher}, not {_of(instance)}"
    if runs_in_32_bits(model, sm, options.flags) and not backend.float32:
        return "it does not run in float32"
    if is_fp8(dtype) and backend.fp8_since_sm is None:
        return "it has no FP8 KV cache"
    if is_fp8(dtype) and sm < (backend.fp8_since_sm or 0):
        return f"its FP8 KV cache needs compute capability {_text(backend.fp8_since_sm)} or higher, not {_of(instance)}"
    # The kernels of Blackwell have both.
    if sm < 100 and model.name == "GptOssForCausalLM" and not backend.sinks:
        return f"it has no attention sinks, which {model.name} needs"
    text_only = model.vision is None or not options.has_tower(model.vision.kind)
    if sm < 100 and model.has_prefix_images and not backend.prefix_images and not text_only:
        return f"its image tokens do not see each other, which {model.name} needs"
    wrong = [size for size in _head_sizes(model) if not _takes_head(name, size, options)]
    return f"it has no heads of {wrong[0]} values" if wrong else None


def _kind(model: Architecture) -> str:
    if model.latent is None:
        return "grouped"
    return "sparse" if model.latent.index_heads else "latent"


def _text(sm: int | None) -> str:
    return f"{(sm or 0) / 10:.1f}"


def _of(instance: InstanceType) -> str:
    return f"{instance.gpu} (compute capability {instance.compute_capability})"


def _head_sizes(model: Architecture) -> list[int]:
    return sorted({one.head_dim for one in model.attention if isinstance(one, GroupedQuery)})


def _takes_head(name: str, size: int, options: ResolvedOptions) -> bool:
    if name == "FLASH_ATTN":
        return size % 8 == 0
    if name == "FLASHINFER":
        return size in FLASHINFER_HEADS or (size == LARGE_FLASHINFER_HEAD and options.version >= TURING_LEFT_FLASHINFER)
    return True
