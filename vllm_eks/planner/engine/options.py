"""The options requested for one model, and vLLM's defaults for the others."""

from collections.abc import Mapping
from dataclasses import dataclass

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.engine_flags import NO_FLAGS, EngineFlags
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.planner.engine.startup import HUGGING_FACE
from vllm_eks.planner.engine.versions import BIG_GPU_BATCH, HYBRID_PREFIX_CACHING, UTILIZATION_RAISED
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.vllm_version import Version, parse_version

DEFAULT_CONTEXT_TOKENS = 8192
"""The planner's default of --max-model-len, at most the model's limit. vLLM's default is that limit, up to 10M
tokens."""

KV_CACHE_DTYPES = ("auto", "bfloat16", "float16", "fp8", "fp8_e4m3", "fp8_e5m2")
"""The supported types. engine/attention.py derives the actual type from them and the model."""

IMAGE_ONLY_TOWERS = ("llama4", "siglip", "pixtral")
"""Kinds of vision towers that take no videos."""


SMALLEST_STEP_FACTOR, LARGEST_STEP_FACTOR = 0.25, 4.0
"""Bounds of a measured step's time over the predicted one. Beyond them something else was measured."""


@dataclass(frozen=True, kw_only=True)
class ServingOptions:
    """The options requested for one model, with vLLM's names. None means vLLM's default or the planner's choice."""

    tensor_parallel_size: int | None = None
    pipeline_parallel_size: int | None = None
    max_model_len: int | None = None
    gpu_memory_utilization: float | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_cache_dtype: str = "auto"
    enforce_eager: bool = False
    enable_expert_parallel: bool = False
    limit_mm_per_prompt: Mapping[str, int] | None = None
    mm_profile_sizes: Mapping[str, Mapping[str, int]] | None = None
    """Modality -> sizes, with vLLM's names, for which vLLM reserves memory."""
    enable_prefix_caching: bool | None = None
    decode_context_parallel_size: int = 1
    vllm_version: str = DEFAULT_VLLM_VERSION
    replicas: int = 1
    zones: int = 1
    """Number of availability zones. Each has the same number of replicas and its own nodes."""
    weights_source: str = HUGGING_FACE
    """HUGGING_FACE or S3, from planner.engine.startup."""
    max_loras: int = 0
    """LoRA adapters per batch, or 0 for none."""
    max_lora_rank: int = 16
    flags: EngineFlags = NO_FLAGS
    further_args: tuple[str, ...] = ()
    """The arguments that `flags` were read from, if `vllm_args` must include them. A stack adds its extraArgs by
    itself."""
    measured_step_factor: float = 1.0
    """The measured time of an engine step over the predicted one, of this model on these machines."""


@dataclass(frozen=True, kw_only=True)
class ResolvedOptions:
    """All sizes that vLLM will use, for one version and one GPU."""

    max_model_len: int
    gpu_memory_utilization: float
    max_num_seqs: int
    max_num_batched_tokens: int
    kv_cache_dtype: str
    enforce_eager: bool
    enable_expert_parallel: bool
    mm_limits: tuple[tuple[str, int], ...]
    """--limit-mm-per-prompt as (modality, largest number in a request)."""
    version: Version
    mm_sizes: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    """The sizes of --limit-mm-per-prompt, by modality."""
    prefix_caching: bool | None = None
    """None means the version's default for the model."""
    decode_context_parallel_size: int = 1
    weights_source: str = HUGGING_FACE
    max_loras: int = 0
    max_lora_rank: int = 16
    flags: EngineFlags = NO_FLAGS
    further_args: tuple[str, ...] = ()
    measured_step_factor: float = 1.0

    @property
    def images_per_prompt(self) -> int | None:
        """The limit of images, or None if no limit is set and vLLM profiles as many as fit in its encoder budget."""
        return dict(self.mm_limits).get("image")

    def has_tower(self, kind: str) -> bool:
        """Return whether vLLM loads and profiles a vision tower of this kind.

        Not if all its modalities are limited to 0 (model_executor/models/interfaces.py, _mark_tower_model).
        """
        limits = dict(self.mm_limits)
        modalities = ("image",) if kind in IMAGE_ONLY_TOWERS else ("image", "video")
        return not (self.flags.language_model_only or all(limits.get(one) == 0 for one in modalities))

    @property
    def caches_prefixes(self) -> bool:
        """Whether prefix caching is on for a hybrid model, which then keeps one more state."""
        by_default = self.version >= HYBRID_PREFIX_CACHING
        return by_default if self.prefix_caching is None else self.prefix_caching

    @property
    def drafted_tokens(self) -> int:
        """Tokens that speculative decoding drafts per step, or 0 without it."""
        return self.flags.speculation.tokens if self.flags.speculation else 0

    @property
    def drafting(self) -> str | None:
        """The method of speculative decoding, or None without it."""
        return self.flags.speculation.method if self.flags.speculation else None


def batch_defaults(instance: InstanceType, version: Version) -> tuple[int, int]:
    """Return the API server's (max_num_batched_tokens, max_num_seqs) for this GPU.

    Source: vLLM engine/arg_utils.py, EngineArgs.get_batch_defaults.
    """
    if instance.gpu_memory_gib >= 160 and version >= BIG_GPU_BATCH:
        return 16384, 1024
    if instance.gpu_memory_gib >= 70 and "a100" not in instance.gpu.lower():
        return 8192, 1024
    return 2048, 256


def default_utilization(version: Version) -> float:
    """Return vLLM's default of --gpu-memory-utilization."""
    return 0.92 if version >= UTILIZATION_RAISED else 0.90


def resolve(options: ServingOptions, instance: InstanceType, *, context_limit_tokens: int) -> ResolvedOptions:
    """Return the options with the defaults of the requested vLLM version on this GPU.

    Raises:
        WrongQuestion: vLLM would refuse an option on the command line. The message lists all such options.
    """
    version = parse_version(options.vllm_version)
    tokens, seqs = batch_defaults(instance, version)
    tokens = options.max_num_batched_tokens or tokens
    resolved = ResolvedOptions(
        max_model_len=options.max_model_len or min(context_limit_tokens, DEFAULT_CONTEXT_TOKENS),
        gpu_memory_utilization=(
            default_utilization(version) if options.gpu_memory_utilization is None else options.gpu_memory_utilization
        ),
        max_num_seqs=options.max_num_seqs or min(seqs, tokens),
        max_num_batched_tokens=tokens,
        kv_cache_dtype=options.kv_cache_dtype,
        enforce_eager=options.enforce_eager,
        enable_expert_parallel=options.enable_expert_parallel,
        mm_limits=tuple(sorted((options.limit_mm_per_prompt or {}).items())),
        version=version,
        mm_sizes=tuple(sorted((of, tuple(sizes.items())) for of, sizes in (options.mm_profile_sizes or {}).items())),
        prefix_caching=options.enable_prefix_caching,
        decode_context_parallel_size=options.decode_context_parallel_size,
        weights_source=options.weights_source,
        max_loras=options.max_loras,
        max_lora_rank=options.max_lora_rank,
        flags=options.flags,
        further_args=options.further_args,
        measured_step_factor=options.measured_step_factor,
    )
    errors = _errors(options, resolved)
    if errors:
        raise WrongQuestion("; ".join(errors))
    return resolved


def _errors(options: ServingOptions, resolved: ResolvedOptions) -> list[str]:
    positive = {
        "--tensor-parallel-size": options.tensor_parallel_size,
        "--pipeline-parallel-size": options.pipeline_parallel_size,
        "--max-model-len": options.max_model_len,
        "--max-num-seqs": options.max_num_seqs,
        "--max-num-batched-tokens": options.max_num_batched_tokens,
        "--decode-context-parallel-size": options.decode_context_parallel_size,
        "replicas": options.replicas,
        "zones": options.zones,
    }
    errors = [
        f"{name} {value} must be 1 or more" for name, value in positive.items() if value is not None and value < 1
    ]
    if not 0 < resolved.gpu_memory_utilization <= 1:
        errors.append(f"--gpu-memory-utilization {resolved.gpu_memory_utilization} must be above 0 and at most 1")
    if resolved.max_num_seqs > resolved.max_num_batched_tokens:
        errors.append(
            f"--max-num-seqs {resolved.max_num_seqs} is more than --max-num-batched-tokens "
            f"{resolved.max_num_batched_tokens}, which vLLM refuses: raise --max-num-batched-tokens"
        )
    if options.zones > 0 and options.replicas % options.zones:
        errors.append(f"replicas {options.replicas} cannot be spread evenly over {options.zones} zones: use a multiple")
    if options.kv_cache_dtype not in KV_CACHE_DTYPES:
        errors.append(f"--kv-cache-dtype {options.kv_cache_dtype!r} is not one of {', '.join(KV_CACHE_DTYPES)}")
    return errors
