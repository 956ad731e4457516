"""A plan: the layout of one model on one instance type with its memory, or every layout tried and why not."""

from dataclasses import dataclass, field, replace

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.startup import StartupBudget, startup_budget
from vllm_eks.planner.engine.validity import Refusal
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.fit import largest_context
from vllm_eks.planner.search.roofline import Roofline, roofline, usd_per_million_tokens


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
    def stages_per_node(self) -> int:
        """Pipeline stages that share a node: all of them where its GPUs are enough, else one."""
        if self.layout is None:
            return 0
        stages = self.layout.pipeline_parallel_size
        return stages if stages * self.layout.tensor_parallel_size <= self.instance.gpus else 1

    @property
    def nodes_per_replica(self) -> int:
        """Nodes of one replica: as many as it has pods."""
        return self.layout.pipeline_parallel_size // self.stages_per_node if self.layout else 0

    @property
    def gpus_per_pod(self) -> int:
        """GPUs of one pod, which are those of one replica on one node."""
        return self.layout.tensor_parallel_size * self.stages_per_node if self.layout else 0

    @property
    def replicas_per_node(self) -> int:
        """Replicas that have room on one node; a node of a replica over several holds one of its pods only."""
        if self.nodes_per_replica != 1:
            return 1
        return max(1, self.instance.gpus // self.gpus_per_pod)

    @property
    def in_one_zone(self) -> "Plan":
        """The share of one zone: an equal part of the replicas."""
        return replace(self, replicas=self.replicas // self.zones, zones=1)

    @property
    def nodes_per_zone(self) -> int:
        """Nodes of one zone. Replicas on one node each share a node's GPUs; of others every pod has its own."""
        replicas = self.replicas // self.zones
        return -(-replicas // self.replicas_per_node) * self.nodes_per_replica

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
        """Estimate of the decode tokens per second of one replica; None where a bandwidth is unknown."""
        if self.layout is None:
            return None
        return roofline(self.model, self.instance, self.layout, self.options, concurrency=self.max_concurrency)

    @property
    def usd_per_million_tokens(self) -> float | None:
        """Estimate of the price of a million decoded tokens: the GPU nodes at the roofline."""
        estimate = self.roofline
        if estimate is None or self.usd_per_hour is None:
            return None
        return usd_per_million_tokens(self.usd_per_hour, estimate.tokens_per_second * self.replicas)

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
            readers=1 if self.reads_once else max(1, self.gpus_per_pod),
        )

    @property
    def reads_once(self) -> bool:
        """Whether the ranks of a node share what one of them reads from S3 (runai_streamer's distributed mode).

        It needs more than one rank; the EKS user guide has it in conflict with --enforce-eager.
        """
        return self.gpus_per_pod > 1 and not self.options.enforce_eager
