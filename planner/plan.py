"""A plan: the layout of one model on one instance type with its memory, or every layout tried and why not."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from planner.fit import check_version, context_refusals, disk_refusals, host_refusals, largest_context, memory_refusal
from planner.instances import InstanceType
from planner.models import ModelFacts
from planner.options import ResolvedOptions, ServingOptions, resolve
from planner.roofline import Roofline, roofline, usd_per_million_tokens
from planner.stages import Layout, build_layout
from planner.startup import StartupBudget, startup_budget
from planner.units import BYTES_PER_GIB
from planner.validity import Refusal, rule_refusals
from planner.versions import NATIVE_MULTI_NODE, parse_version

MOST_NODES = 16
"""Largest number of nodes tried for one replica. Our bound: each stage adds a hop to every token."""

STILL_COUNTED = {"pipeline_unsupported", "context_too_long", "dtype_unsupported", "quantization_unsupported"}
"""Refusals beside which the memory of a layout can still be counted."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one model on one instance type comes to."""

    model: ModelFacts
    instance: InstanceType
    options: ResolvedOptions
    replicas: int
    zones: int = 1
    """Zones that the replicas are spread over evenly."""
    layout: Layout | None
    """The layout chosen; where nothing fits, the last one whose memory was counted, if any."""
    refusals: tuple[Refusal, ...]
    """Empty when it fits."""
    notes: tuple[str, ...] = field(default=())
    """What helps to judge the plan."""
    warnings: tuple[str, ...] = field(default=())
    """What the plan costs beyond what the user named, each a full sentence with the prices."""
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
    def in_one_zone(self) -> "Plan":
        """The share of one zone: an equal part of the replicas."""
        return replace(self, replicas=self.replicas // self.zones, zones=1)

    @property
    def nodes_per_zone(self) -> int:
        """Nodes of one zone. One pod a node when PP > 1; with PP=1 the replicas of a zone share a node's GPUs."""
        if self.layout is None:
            return 0
        replicas = self.replicas // self.zones
        if self.nodes_per_replica > 1:
            return replicas * self.nodes_per_replica
        return -(-replicas // max(1, self.instance.gpus // self.layout.tensor_parallel_size))

    @property
    def total_nodes(self) -> int:
        """Nodes of all replicas in all zones."""
        return self.zones * self.nodes_per_zone

    @property
    def usd_per_hour(self) -> float | None:
        """Price of the GPU nodes of all replicas; None where the price is unknown."""
        if self.instance.usd_per_hour is None or not self.layout:
            return None
        return round(self.total_nodes * self.instance.usd_per_hour, 4)

    @property
    def kv_cache_tokens(self) -> int:
        """Likely tokens of KV cache of one replica, as vLLM prints them."""
        return self._tokens(1)

    @property
    def kv_cache_tokens_range(self) -> tuple[int, int]:
        """Fewest and most tokens of KV cache that one replica has nine times in ten."""
        return self._tokens(0), self._tokens(2)

    def _tokens(self, which: int) -> int:
        if self.layout is None:
            return 0
        return self.layout.cache.printed_tokens(self.layout.blocks[which], self.options)

    @property
    def max_concurrency(self) -> float:
        """Requests of the full context that one replica holds at once."""
        if self.layout is None:
            return 0.0
        needed = self.layout.cache.blocks_per_request(self.options.max_model_len, self.options)
        return round(self.layout.blocks[1] / needed, 2)

    @property
    def margin_bytes(self) -> float:
        """KV cache of the tightest GPU beyond one request of the full context, on the cautious side."""
        if self.layout is None:
            return 0.0
        needed = self.layout.cache.blocks_per_request(self.options.max_model_len, self.options)
        needed += self.layout.cache.reserved_blocks(self.options.version)
        return min(stage.kv_cache.low - needed * stage.block_bytes for stage in self.layout.stages)

    @property
    def largest_context_tokens(self) -> int:
        """The longest --max-model-len that this layout holds on the cautious side, up to the model's own limit."""
        if self.layout is None:
            return 0
        return largest_context(self.layout, self.options, limit_tokens=self.model.architecture.max_position_embeddings)

    @property
    def roofline(self) -> Roofline | None:
        """Upper bound on the decode tokens per second of one replica; None where a bandwidth is unknown."""
        if self.layout is None:
            return None
        return roofline(self.model, self.instance, self.layout, self.options, concurrency=self.max_concurrency)

    @property
    def usd_per_million_tokens(self) -> float | None:
        """Lower bound on the price of a million decoded tokens: the GPU nodes at the roofline."""
        bound = self.roofline
        if bound is None or self.usd_per_hour is None:
            return None
        return usd_per_million_tokens(self.usd_per_hour, bound.tokens_per_second * self.replicas)

    @property
    def idle_gpus(self) -> int:
        """GPUs of all nodes that no replica uses."""
        if self.layout is None:
            return 0
        used = self.replicas * self.layout.tensor_parallel_size * self.layout.pipeline_parallel_size
        return self.total_nodes * self.instance.gpus - used

    @property
    def startup(self) -> StartupBudget:
        """How long a replica may take to its first token."""
        return startup_budget(
            weights_bytes=self.model.weights_bytes,
            network_gbps=self.instance.network_gbps,
            weights_source=self.options.weights_source,
            readers=1 if self.reads_once else self.layout.tensor_parallel_size if self.layout else 1,
        )

    @property
    def reads_once(self) -> bool:
        """Whether the ranks of a node share what one of them reads from S3 (runai_streamer's distributed mode).

        It needs more than one rank; the EKS user guide has it in conflict with --enforce-eager.
        """
        return bool(self.layout and self.layout.tensor_parallel_size > 1) and not self.options.enforce_eager


def attempt(
    model: ModelFacts, instance: InstanceType, wishes: ServingOptions, *, tells_every_layout: bool = False
) -> Plan:
    """Return the first layout that fits, or a plan with a refusal for each layout tried.

    Tensor parallel takes the largest power of two of the node's GPUs that the rules allow; pipeline parallel adds
    nodes of the same type, as few as fit. Layouts whose weights alone cannot fit are tried only for a refusal that
    `tells_every_layout`.

    Raises:
        WrongQuestion: The options are no valid question (a version never read, sizes below 1).
    """
    limit = model.architecture.max_position_embeddings
    options = resolve(wishes, instance, context_limit_tokens=limit)
    check_version(model, options)
    replicas, zones = wishes.replicas, wishes.zones
    found = Plan(
        model=model, instance=instance, options=options, replicas=replicas, zones=zones, layout=None, refusals=()
    )
    tp, rules = _tensor_parallel(model, instance, options, wishes)
    against = (*context_refusals(model, options), *rules, *disk_refusals(model, instance, options))
    if tp:
        workers = tp * max(1, min(wishes.replicas // wishes.zones, instance.gpus // tp))
        against += tuple(host_refusals(model, instance, options, workers=workers))
    if against:
        return replace(found, refusals=against, layout=_layout_all_the_same(found, wishes, against))
    refusals: list[Refusal] = []
    layout = None
    sizes = _pipeline_sizes(model, wishes)
    if not tells_every_layout:
        sizes = sizes[min(_hopeless(model, instance, options, tp), len(sizes) - 1) :]
    for pp in sizes:
        layout = build_layout(model, instance, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
        refusal = memory_refusal(layout, options)
        if refusal is None:
            return replace(found, layout=layout)
        refusals.append(refusal)
    return replace(found, layout=layout, refusals=tuple(refusals))


def _hopeless(model: ModelFacts, instance: InstanceType, options: ResolvedOptions, tp: int) -> int:
    """Return how many pipeline sizes, from 1, cannot even hold the weights spread evenly."""
    budget = instance.gpu_memory_gib * BYTES_PER_GIB * options.gpu_memory_utilization * tp
    return int(model.weights_bytes * model.weights_deviation.low / budget)


def _layout_all_the_same(found: Plan, wishes: ServingOptions, against: tuple[Refusal, ...]) -> Layout | None:
    """Return the memory of a layout asked for by size that only a version, a GPU or the context limit refuses."""
    tp, pp = wishes.tensor_parallel_size, wishes.pipeline_parallel_size
    if tp is None or pp is None or any(refusal.code not in STILL_COUNTED for refusal in against):
        return None
    return build_layout(found.model, found.instance, found.options, tensor_parallel_size=tp, pipeline_parallel_size=pp)


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
