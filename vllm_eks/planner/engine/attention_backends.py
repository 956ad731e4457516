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
LARGE_HEAD = 256
"""Largest head of FlashAttention before Hopper."""
LARGE_FLASHINFER_HEAD = 512
"""A further head size of FlashInfer since the same version."""


NO_END = 999


Spans = tuple[int, int]
"""Compute capabilities as first and end, such as (90, 110) for Hopper and the first Blackwell GPUs."""
ALL: Spans = (0, NO_END)
NOWHERE: Spans = (0, 0)
HOPPER: Spans = (90, 100)
DATACENTER_BLACKWELL: Spans = (100, 110)
HOPPER_AND_BLACKWELL: Spans = (90, 110)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """What a backend runs, by compute capability."""

    kind: str = "grouped"
    """Grouped-query, latent or sparse attention."""
    runs: Spans = ALL
    float32: bool = False
    fp8: Spans = ALL
    sinks: Spans = ALL
    prefix_images: Spans = ALL
    """Where tokens of an image see each other (Gemma 3)."""
    large_heads: Spans = ALL
    """Where heads may have more than 256 values."""


BACKENDS: Mapping[str, Backend] = {
    "FLASH_ATTN": Backend(
        runs=(80, NO_END),
        fp8=HOPPER_AND_BLACKWELL,
        sinks=HOPPER_AND_BLACKWELL,
        prefix_images=DATACENTER_BLACKWELL,
        large_heads=HOPPER_AND_BLACKWELL,
    ),
    "FLASHINFER": Backend(runs=(75, NO_END), sinks=DATACENTER_BLACKWELL, prefix_images=NOWHERE),
    "TRITON_ATTN": Backend(float32=True),
    "FLEX_ATTENTION": Backend(float32=True, fp8=NOWHERE, sinks=NOWHERE),
    "TRITON_MLA": Backend(kind="latent"),
    "FLASHMLA": Backend(kind="latent", runs=HOPPER),
    "FLASH_ATTN_MLA": Backend(kind="latent", runs=HOPPER, fp8=NOWHERE),
    "FLASHINFER_MLA": Backend(kind="latent", runs=DATACENTER_BLACKWELL),
    "CUTLASS_MLA": Backend(kind="latent", runs=DATACENTER_BLACKWELL),
    "FLASHMLA_SPARSE": Backend(kind="sparse", runs=HOPPER_AND_BLACKWELL),
    "FLASHINFER_MLA_SPARSE": Backend(kind="sparse", runs=DATACENTER_BLACKWELL),
    "FLASHINFER_MLA_SPARSE_SM90": Backend(kind="sparse", runs=HOPPER),
    "FLASHINFER_MLA_SPARSE_SM120": Backend(kind="sparse", runs=(120, 130)),
}
"""Backends for NVIDIA GPUs that can be chosen for any model of a kind. In 0.21 FLASH_ATTN has FP8 on Hopper only."""


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
    sm, kind, gpu = instance.sm, _kind(model), f"{instance.gpu} (compute capability {instance.compute_capability})"
    first, end = backend.runs
    first = 80 if name == "FLASHINFER" and options.version >= TURING_LEFT_FLASHINFER else first
    if kind != backend.kind:
        return f"it runs {backend.kind} attention, and {model.name} has {kind} attention"
    if not first <= sm < end:
        return f"it needs compute capability {first / 10:.1f}{' or higher' if end == NO_END else ''}, not {gpu}"
    if runs_in_32_bits(model, sm, options.flags) and not backend.float32:
        return "it does not run in float32"
    text_only = model.vision is None or not options.has_tower(model.vision.kind)
    largest = max((one.head_dim for one in model.attention if isinstance(one, GroupedQuery)), default=0)
    needs = {
        "no FP8 KV cache": (is_fp8(kv_cache_dtype(model, sm, options)), backend.fp8),
        "no attention sinks": (model.name == "GptOssForCausalLM", backend.sinks),
        "no attention between all tokens of an image": (
            model.has_prefix_images and not text_only,
            backend.prefix_images,
        ),
        f"no heads of {largest} values": (largest > LARGE_HEAD, backend.large_heads),
    }
    lacks = next((what for what, (needed, span) in needs.items() if needed and not span[0] <= sm < span[1]), None)
    return f"it has {lacks} on {gpu}" if lacks else _head_reason(name, model, options)


def _head_reason(name: str, model: Architecture, options: ResolvedOptions) -> str | None:
    if name != "FLASHINFER":
        return None
    large = (LARGE_FLASHINFER_HEAD,) if options.version >= TURING_LEFT_FLASHINFER else ()
    sizes = sorted({one.head_dim for one in model.attention if isinstance(one, GroupedQuery)})
    wrong = [size for size in sizes if size not in (*FLASHINFER_HEADS, *large)]
    return f"it has no heads of {wrong[0]} values" if wrong else None


def _kind(model: Architecture) -> str:
    if model.latent is None:
        return "grouped"
    return "sparse" if model.latent.index_heads else "latent"
