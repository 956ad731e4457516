"""A plan: the layout of one model on one instance type with its memory, or every layout tried and why not."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from planner.instances import InstanceType
from planner.memory import BLOCK_TOKENS
from planner.models import ModelFacts
from planner.options import ResolvedOptions, ServingOptions, resolve
from planner.stages import Layout, build_layout
from planner.startup import GB, StartupBudget, startup_budget
from planner.units import gib
from planner.validity import Refusal, rule_refusals
from planner.versions import NATIVE_MULTI_NODE, parse_version

DOWNLOAD_FACTOR = 1.05
"""The repository holds more than its tensors: tokenizer, configs, lock files of the download."""
UNPACKED_IMAGE_GB = 35.0
"""Upper end of a vLLM container with CUDA 13 once unpacked. Estimate."""
DISK_BEFORE_EVICTION = 0.9
"""The kubelet evicts pods when less than 10 % of nodefs is free (EKS AMI, nodeadm)."""

MOST_NODES = 16
"""Largest number of nodes tried for one replica. Our bound: each stage adds a hop to every token."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one model on one instance type comes to."""

    model: ModelFacts
    instance: InstanceType
    options: ResolvedOptions
    replicas: int
    layout: Layout | None
    """The layout chosen; where nothing fits, the last one whose memory was counted, if any."""
    refusals: tuple[Refusal, ...]
    """Empty when it fits."""
    notes: tuple[str, ...] = field(default=())
    suggestions: tuple[str, ...] = field(default=())

    @property
    def fits(self) -> bool:
        """Whether the plan can be built."""
        return not self.refusals

    @property
    def nodes_per_replica(self) -> int:
        """Nodes of one replica: one pipeline stage a node."""
        return self.layout.pipeline_parallel_size if self.layout else 0

    @property
    def total_nodes(self) -> int:
        """Nodes of all replicas. One pod a node when PP > 1; with PP=1 replicas share a node's GPUs."""
        if self.layout is None:
            return 0
        if self.nodes_per_replica > 1:
            return self.replicas * self.nodes_per_replica
        return -(-self.replicas // max(1, self.instance.gpus // self.layout.tensor_parallel_size))

    @property
    def usd_per_hour(self) -> float | None:
        """Price of the GPU nodes of all replicas; None where the price is unknown."""
        if self.instance.usd_per_hour is None or not self.layout:
            return None
        return round(self.total_nodes * self.instance.usd_per_hour, 4)

    @property
    def kv_cache_tokens(self) -> int:
        """Tokens of KV cache of one replica."""
        return self.layout.kv_cache_tokens if self.layout else 0

    @property
    def max_concurrency(self) -> float:
        """Requests of the full context that one replica holds at once."""
        blocks_needed = -(-self.options.max_model_len // BLOCK_TOKENS)
        return round(self.kv_cache_tokens / BLOCK_TOKENS / blocks_needed, 2)

    @property
    def largest_context_tokens(self) -> int:
        """The longest --max-model-len that this layout holds, up to the model's own limit."""
        return min(self.kv_cache_tokens, self.model.architecture.max_position_embeddings)

    @property
    def startup(self) -> StartupBudget:
        """How long a replica may take to its first token."""
        return startup_budget(weights_bytes=self.model.weights_bytes, network_gbps=self.instance.network_gbps)


def attempt(model: ModelFacts, instance: InstanceType, wishes: ServingOptions) -> Plan:
    """Return the first layout that fits, or a plan with a refusal for each layout tried.

    Tensor parallel takes the largest power of two of the node's GPUs that the rules allow; pipeline parallel adds
    nodes of the same type, as few as fit.

    Raises:
        WrongQuestion: The options are no valid question (a version never read, sizes below 1).
    """
    limit = model.architecture.max_position_embeddings
    options = resolve(wishes, instance, context_limit_tokens=limit)
    found = Plan(model=model, instance=instance, options=options, replicas=wishes.replicas, layout=None, refusals=())
    tp, rules = _tensor_parallel(model, instance, options, wishes)
    against = (*_context_refusals(model, options), *rules, *_disk_refusals(model, instance))
    if against:
        return replace(found, refusals=against)
    refusals: list[Refusal] = []
    layout = None
    for pp in _pipeline_sizes(model, wishes):
        layout = build_layout(model, instance, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
        refusal = memory_refusal(layout, options)
        if refusal is None:
            return replace(found, layout=layout)
        refusals.append(refusal)
    return replace(found, layout=layout, refusals=tuple(refusals))


def _context_refusals(model: ModelFacts, options: ResolvedOptions) -> Iterator[Refusal]:
    limit = model.architecture.max_position_embeddings
    if options.max_model_len > limit:
        message = f"max model len {options.max_model_len:,} is above the model's own limit of {limit:,} tokens"
        yield Refusal(code="context_too_long", message=message)


def _disk_refusals(model: ModelFacts, instance: InstanceType) -> Iterator[Refusal]:
    """Yield a refusal when the local disks do not hold the whole repository, which every node downloads."""
    needed_gb = model.weights_bytes * DOWNLOAD_FACTOR / GB + UNPACKED_IMAGE_GB
    if instance.nvme_gb and needed_gb > instance.nvme_gb * DISK_BEFORE_EVICTION:
        yield Refusal(
            code="weights_do_not_fit",
            message=f"each node downloads {model.weights_bytes / GB:.0f} GB of weights and unpacks the image: "
            f"{needed_gb:.0f} GB do not fit the {instance.nvme_gb:.0f} GB of local NVMe of {instance.type}",
        )


def _tensor_parallel(
    model: ModelFacts, instance: InstanceType, options: ResolvedOptions, wishes: ServingOptions
) -> tuple[int, tuple[Refusal, ...]]:
    """Return the tensor parallel size, and the rules against it when none is allowed."""
    refusals: tuple[Refusal, ...] = ()
    for tp in _tensor_sizes(instance, wishes):
        broken = rule_refusals(
            model.architecture,
            instance,
            options,
            tensor_parallel_size=tp,
            pipeline_parallel_size=wishes.pipeline_parallel_size or 1,
        )
        if not broken:
            return tp, ()
        refusals += tuple(r for r in broken if r not in refusals)
    return 0, refusals


def _tensor_sizes(instance: InstanceType, wishes: ServingOptions) -> Iterator[int]:
    if wishes.tensor_parallel_size:
        yield wishes.tensor_parallel_size
        return
    # Only powers of two: with 3, 5, 6 or 7 the padded vocabulary or the KV heads practically never divide.
    size = 1 << (instance.gpus.bit_length() - 1)
    while size:
        yield size
        size //= 2


def _pipeline_sizes(model: ModelFacts, wishes: ServingOptions) -> range:
    if wishes.pipeline_parallel_size:
        return range(wishes.pipeline_parallel_size, wishes.pipeline_parallel_size + 1)
    native = parse_version(wishes.vllm_version) >= NATIVE_MULTI_NODE
    most = min(MOST_NODES, model.architecture.num_hidden_layers) if native else 1
    return range(1, most + 1)


def memory_refusal(layout: Layout, options: ResolvedOptions) -> Refusal | None:
    """Return why the tightest rank of a layout does not hold the model and one request, or None when it does."""
    stage = layout.tightest
    where = f"{layout.label}: stage {stage.index + 1} of {layout.pipeline_parallel_size}"
    sums = (
        f"{gib(stage.weights.size_bytes):.2f} GiB weights + {gib(stage.activations.size_bytes):.2f} activations "
        f"+ {gib(stage.overhead_bytes):.2f} overhead"
    )
    needs_and_has = f"{sums} = {gib(stage.needed_bytes):.2f} of {gib(stage.budget_bytes):.2f} GiB a GPU"
    if stage.kv_cache_bytes <= 0:
        return Refusal(code="weights_do_not_fit", message=f"{where} needs {needs_and_has}")
    if stage.graphs_overflow_bytes > 0:
        return Refusal(
            code="weights_do_not_fit",
            message=f"{where} captures {gib(stage.outside_budget_bytes):.2f} GiB of CUDA graphs outside the budget, "
            f"which leaves {gib(stage.total_bytes - stage.budget_bytes):.2f} GiB free; lower "
            "--gpu-memory-utilization or use --enforce-eager",
        )
    blocks_needed = -(-options.max_model_len // BLOCK_TOKENS)
    if stage.blocks < blocks_needed:
        return Refusal(
            code="kv_cache_too_small",
            message=f"{where} has {gib(stage.kv_cache_bytes):.2f} GiB of KV cache left ({needs_and_has}): "
            f"{stage.blocks * BLOCK_TOKENS:,} of the {options.max_model_len:,} tokens of one request",
        )
    return None
