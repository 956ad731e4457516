"""Whether a model fits a layout: GPU memory, host memory, local disks, and the model's context limit."""

from collections.abc import Iterator

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.startup import GB, S3
from vllm_eks.planner.engine.validity import Refusal
from vllm_eks.planner.engine.versions import PIPELINE_CHECK_OF_ALL_LAYERS
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory import constants
from vllm_eks.planner.memory.stages import Layout, Stage
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.vllm_classes import first_release, last_release
from vllm_eks.planner.units import BYTES_PER_GIB, gib
from vllm_eks.planner.vllm_version import Version

DOWNLOAD_FACTOR = 1.05
"""The download is larger than the tensors: it includes the tokenizer, configs and the downloader's lock files."""
UNPACKED_IMAGE_GB = 35.0
"""Upper bound for an unpacked vLLM image with CUDA 13. An estimate."""
POD_SHARE = 0.8
"""Part of a node's CPU and memory that its pods request: kubelet, DaemonSets and the page cache need the rest."""
DISK_BEFORE_EVICTION = 0.9
"""The kubelet evicts pods when less than 10 % of nodefs is free (EKS AMI, nodeadm)."""


def check_version(model: ModelFacts, options: ResolvedOptions) -> None:
    """Check that the vLLM version supports the architecture.

    Raises:
        WrongQuestion: The version is older than the first one that supports it, or newer than the last one.
    """
    name = model.architecture.name
    since, last = max(model.architecture.since, first_release(name)), last_release(name)
    if options.version < since:
        advice = f"use {_dotted(since)} or later"
    elif last and options.version[:2] > last[:2]:
        advice = f"use {_dotted(last)} or earlier"
    else:
        return
    raise WrongQuestion(f"{model.id}: vLLM {_dotted(options.version)} does not support {name}: {advice}")


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def context_refusals(model: ModelFacts, options: ResolvedOptions) -> Iterator[Refusal]:
    """Yield a refusal when the requested context exceeds the model's limit."""
    limit = model.architecture.context_limit(options.version)
    if options.max_model_len > limit:
        message = f"--max-model-len {options.max_model_len:,} is above the model's own limit of {limit:,} tokens"
        yield Refusal(code="context_too_long", message=message)


def disk_refusals(model: ModelFacts, instance: InstanceType, options: ResolvedOptions) -> Iterator[Refusal]:
    """Yield a refusal when a node's local disks are too small for the repository that it downloads from the Hub."""
    if options.weights_source == S3:
        return
    needed_gb = model.weights_bytes * DOWNLOAD_FACTOR / GB + UNPACKED_IMAGE_GB
    if instance.nvme_gb and needed_gb > instance.nvme_gb * DISK_BEFORE_EVICTION:
        yield Refusal(
            code="host_too_small",
            message=f"each node needs {needed_gb:.0f} GB for {model.weights_bytes / GB:.0f} GB of weights and the "
            f"unpacked image, and {instance.type} has {instance.nvme_gb:.0f} GB of local NVMe",
        )


STREAMER_BUFFER_BYTES = 40 * GB
"""Host memory of runai_streamer per worker. Ranks that share reads hold the whole checkpoint (run-ai env-vars.md)."""


def host_memory_bytes(model: ModelFacts, *, workers: int, cautious: bool) -> float:
    """Return the host memory that loading needs on a node, without page cache (vllm#16916: full Scout, 8 workers).

    Each worker is a process with its own CUDA libraries. It stacks the experts of one layer before it copies its shard
    to the GPU.
    """
    process = constants.HOST_BYTES_PER_WORKER
    each = (process.high if cautious else process.best) + model.parts.largest_layer_bytes
    return workers * each + constants.HOST_SYSTEM_BYTES


def host_refusals(
    model: ModelFacts,
    instance: InstanceType,
    options: ResolvedOptions,
    *,
    workers: int,
    cautious: bool,
    kept_bytes: float = 0.0,
) -> Iterator[Refusal]:
    """Yield a refusal when a node likely (or, if cautious, possibly) lacks host memory while its workers load.

    Args:
        model: The model.
        instance: The node.
        options: The sizes that vLLM will use.
        workers: Workers on the node.
        cautious: Use the high estimate of a worker's memory, not the likely one.
        kept_bytes: Host memory that flags take permanently. It counts against the memory limit of the pods.
    """
    # Ranks that share reads hold one checkpoint between them. Ranks that read separately each have a buffer.
    needed = host_memory_bytes(model, workers=workers, cautious=cautious) + kept_bytes
    if options.weights_source == S3:
        shares = workers > 1 and not options.enforce_eager
        needed += model.weights_bytes if shares else workers * min(STREAMER_BUFFER_BYTES, model.weights_bytes)
    if instance.memory_gib is None:
        return
    may = "may " if cautious else ""
    if needed > instance.memory_gib * BYTES_PER_GIB:
        yield Refusal(
            code="host_too_small",
            message=f"{workers} workers {may}need {gib(needed):.0f} GiB of host memory while "
            f"they load, and {instance.type} has {instance.memory_gib:.0f} GiB",
        )
    elif kept_bytes and needed > POD_SHARE * instance.memory_gib * BYTES_PER_GIB:
        yield Refusal(
            code="host_too_small",
            message=f"{workers} workers {may}need {gib(needed):.0f} GiB of host memory, {gib(kept_bytes):.0f} of it "
            f"for what flags keep there, and the pods of {instance.type} get {POD_SHARE * instance.memory_gib:.0f} GiB",
        )


def largest_context(layout: Layout, options: ResolvedOptions, *, limit_tokens: int, cautious: bool = True) -> int:
    """Return the longest request, in tokens, that fits in the low or the likely KV cache, or 0 if none fits."""
    blocks = layout.least_blocks(cautious=cautious) - layout.cache.reserved_blocks(options.version)
    low, high = 0, limit_tokens
    while low < high:
        middle = (low + high + 1) // 2
        if layout.cache.blocks_per_request(middle, options) <= blocks:
            low = middle
        else:
            high = middle - 1
    return low


def memory_refusal(layout: Layout, options: ResolvedOptions, *, cautious: bool) -> Refusal | None:
    """Return a refusal when the tightest rank does not hold the model and one request, or None when it does.

    Args:
        layout: The memory of each rank.
        options: The sizes that vLLM will use.
        cautious: Use the low estimate of the KV cache, which is right nineteen times in twenty, instead of the likely
        one.
    """
    empty = next((stage for stage in layout.stages if not stage.block_bytes), None)
    if empty:
        # get_num_blocks of v1/core/kv_cache_utils.py divides by the layers of the stage.
        return Refusal(
            code="pipeline_unsupported",
            message=f"{layout.label}: stage {empty.index + 1} has no layer with a KV cache or a state, and vLLM does "
            "not start such a stage: use fewer stages",
        )
    fixed = next((stage for stage in layout.stages if stage.kv_cache.best > stage.free.best), None)
    if fixed:
        return Refusal(
            code="weights_do_not_fit",
            message=f"{layout.label}: {gib(fixed.kv_cache.best):.2f} GiB of KV cache are set by a flag, and "
            f"{gib(fixed.free.best):.2f} GiB are left for it on a GPU; lower or remove the flag",
        )
    stage = layout.tightest
    where = f"{layout.label}: stage {stage.index + 1} of {layout.pipeline_parallel_size}"
    if stage.kv_cache.best <= 0:
        return Refusal(code="weights_do_not_fit", message=f"{where} needs {_needs_and_has(stage)}")
    if stage.graphs_overflow_bytes > 0:
        return Refusal(
            code="weights_do_not_fit",
            message=f"{where} captures up to {gib(stage.outside_budget.high):.2f} GiB of CUDA graphs outside the "
            f"budget, which leaves {gib(max(0, stage.total_bytes - stage.budget_bytes)):.2f} GiB free; lower "
            "--gpu-memory-utilization or use --enforce-eager",
        )
    needed = layout.cache.blocks_per_request(options.max_model_len, options)
    if layout.least_blocks(cautious=cautious) - layout.cache.reserved_blocks(options.version) < needed:
        longest = largest_context(layout, options, limit_tokens=options.max_model_len, cautious=cautious)
        return Refusal(
            code="kv_cache_too_small",
            message=f"{where} has {gib(stage.kv_cache.best):.2f} GiB left for the KV cache, "
            f"{gib(stage.kv_cache.low):.2f} by the low estimate ({_needs_and_has(stage)}): {longest:,} of the "
            f"{options.max_model_len:,} tokens of one request",
        )
    return _all_layers_refusal(layout, options, where, cautious=cautious)


def _needs_and_has(stage: Stage) -> str:
    sums = (
        f"{gib(stage.loaded_bytes):.2f} GiB weights and tables + {gib(stage.activations.size_bytes):.2f} activations "
        f"+ {gib(stage.overhead_bytes):.2f} overhead"
    )
    return f"{sums} = {gib(stage.needed_bytes):.2f} of {gib(stage.budget_bytes):.2f} GiB a GPU"


def _all_layers_refusal(layout: Layout, options: ResolvedOptions, where: str, *, cautious: bool) -> Refusal | None:
    """Return a refusal when vLLM would reject the pipeline, in versions whose check counts the layers of all stages."""
    since, until = PIPELINE_CHECK_OF_ALL_LAYERS
    if not since <= options.version < until:
        return None
    layers = range(sum(stage.layers for stage in layout.stages))
    needed = layout.cache.block_bytes(layers) * layout.cache.blocks_per_request(options.max_model_len, options)
    least = min(stage.kv_cache.low if cautious else stage.kv_cache.likely for stage in layout.stages)
    if needed <= least:
        return None
    return Refusal(
        code="kv_cache_too_small",
        message=f"{where}: vLLM {'.'.join(map(str, options.version))} requires KV cache for all layers on each rank, "
        f"{gib(needed):.2f} GiB, and {gib(least):.2f} GiB are free: use 0.17 or later, which counts only the layers "
        "of the rank",
    )
