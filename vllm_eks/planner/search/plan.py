"""A plan: one model on one instance type, with a layout and its memory, or with the reasons that no layout fits."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from vllm_eks.planner.engine.options import DEFAULT_CONTEXT_TOKENS, ResolvedOptions
from vllm_eks.planner.engine.startup import StartupBudget, startup_budget
from vllm_eks.planner.engine.validity import Refusal
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.models.architecture import Confidence
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.fit import largest_context
from vllm_eks.planner.search.throughput import Throughput, throughput, usd_per_million_tokens

Verdict = Literal["fits", "likely_fits", "refused", "unknown"]


@dataclass(frozen=True, kw_only=True)
class StatedSizes:
    """The parallel sizes of a model whose memory is not planned."""

    tensor_parallel_size: int
    pipeline_parallel_size: int

    @property
    def label(self) -> str:
        """The name of the split, such as TP=8 PP=2."""
        return f"TP={self.tensor_parallel_size} PP={self.pipeline_parallel_size}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The plan for one model on one instance type."""

    model: ModelFacts
    instance: InstanceType
    options: ResolvedOptions
    replicas: int
    zones: int = 1
    """Number of zones. Each has the same number of replicas."""
    layout: Layout | None
    """The chosen layout. When none fits, the last one whose memory was computed, if any."""
    refusals: tuple[Refusal, ...]
    """Empty when the model fits or likely fits."""
    doubts: tuple[Refusal, ...] = field(default=())
    """What the low estimates refuse and the likely ones accept. Empty if the model surely fits."""
    stated: StatedSizes | None = None
    """The sizes that the user sets, without a layout: nothing is known about memory."""
    notes: tuple[str, ...] = field(default=())
    """Estimates and changed defaults that the reader should know."""
    warnings: tuple[str, ...] = field(default=())
    """Costs that the user did not ask for, each a full sentence with prices."""
    suggestions: tuple[str, ...] = field(default=())
    """Changes that would make a refused plan fit."""

    @property
    def fits(self) -> bool:
        """Whether the model fits or likely fits."""
        return not self.refusals

    @property
    def verdict(self) -> Verdict:
        """The answer: `fits` by the low estimates, `likely_fits` only by the likely ones, or `refused`.

        `unknown` if the user sets the sizes and nothing is planned.
        """
        if self.refusals:
            return "refused"
        if self.stated:
            return "unknown"
        return "likely_fits" if self.doubts else "fits"

    @property
    def confidence(self) -> Confidence:
        """Whether the planner knows the architecture, or estimates it or a drafter that is not locked."""
        speculation = self.options.flags.speculation
        return "estimated" if speculation and speculation.is_estimated else self.model.architecture.confidence

    @property
    def default_context_tokens(self) -> int:
        """The context that is planned when none is requested and memory holds it."""
        return min(self.model.architecture.context_limit(self.options.version), DEFAULT_CONTEXT_TOKENS)

    @property
    def sizes(self) -> Layout | StatedSizes | None:
        """The parallel sizes, planned or set by the user."""
        return self.layout or self.stated

    @cached_property
    def stages_per_node(self) -> int:
        """Pipeline stages on one node: all of them if the node has enough GPUs, otherwise one."""
        if self.sizes is None:
            return 0
        stages = self.sizes.pipeline_parallel_size
        return stages if stages * self.sizes.tensor_parallel_size <= self.instance.gpus else 1

    @property
    def nodes_per_replica(self) -> int:
        """Nodes of one replica, which is also its number of pods."""
        return self.sizes.pipeline_parallel_size // self.stages_per_node if self.sizes else 0

    @property
    def gpus_per_pod(self) -> int:
        """GPUs of one pod: the GPUs that one replica uses on one node."""
        return self.sizes.tensor_parallel_size * self.stages_per_node if self.sizes else 0

    @property
    def ranks(self) -> int:
        """GPUs of one replica, over all its nodes."""
        return self.sizes.tensor_parallel_size * self.sizes.pipeline_parallel_size if self.sizes else 1

    @property
    def replicas_per_node(self) -> int:
        """Replicas that fit on one node; 1 when a replica spans several nodes."""
        if self.nodes_per_replica != 1:
            return 1
        return max(1, self.instance.gpus // self.gpus_per_pod)

    @property
    def in_one_zone(self) -> "Plan":
        """The same plan for one zone, with that zone's replicas."""
        return replace(self, replicas=self.replicas // self.zones, zones=1)

    @property
    def nodes_per_zone(self) -> int:
        """Nodes in one zone. Replicas share nodes only when each fits on one node."""
        replicas = self.replicas // self.zones
        return -(-replicas // self.replicas_per_node) * self.nodes_per_replica

    @property
    def total_nodes(self) -> int:
        """Nodes of all replicas in all zones."""
        return self.zones * self.nodes_per_zone

    @property
    def usd_per_hour(self) -> float | None:
        """Price of the GPU nodes of all replicas, or None when it is unknown."""
        if self.instance.usd_per_hour is None or not self.sizes:
            return None
        return round(self.total_nodes * self.instance.usd_per_hour, 4)

    @property
    def kv_cache_tokens(self) -> int:
        """Best estimate of one replica's KV cache in tokens, the number that vLLM logs."""
        return self._tokens(1)

    @property
    def kv_cache_tokens_range(self) -> tuple[int, int]:
        """90 % range of one replica's KV cache in tokens."""
        return self._tokens(0), self._tokens(2)

    def _tokens(self, which: int) -> int:
        if self.layout is None:
            return 0
        return self.layout.cache.printed_tokens(self.layout.blocks[which], self.options)

    @cached_property
    def max_concurrency(self) -> float:
        """Requests of the full context length that fit in one replica's KV cache at once."""
        if self.layout is None:
            return 0.0
        needed = self.layout.cache.blocks_per_request(self.options.max_model_len, self.options)
        return round(self.layout.blocks[1] / needed, 2)

    @property
    def margin_bytes(self) -> float:
        """KV cache bytes that remain on the tightest GPU after one full-length request, by the low estimate."""
        if self.layout is None:
            return 0.0
        needed = self.layout.cache.blocks_per_request(self.options.max_model_len, self.options)
        needed += self.layout.cache.reserved_blocks(self.options.version)
        return min(stage.kv_cache.low - needed * stage.block_bytes for stage in self.layout.stages)

    @cached_property
    def largest_context_tokens(self) -> int:
        """The longest --max-model-len that fits this layout by the low estimate, up to the model's limit."""
        if self.layout is None:
            return 0
        return largest_context(
            self.layout, self.options, limit_tokens=self.model.architecture.context_limit(self.options.version)
        )

    @cached_property
    def throughput(self) -> Throughput | None:
        """The speed of one replica that is full, or None when it is unknown."""
        if self.layout is None:
            return None
        return throughput(self.model, self.instance, self.layout, self.options)

    @property
    def usd_per_million_tokens(self) -> float | None:
        """Estimated price of a million output tokens: the GPU nodes, with all replicas full."""
        estimate = self.throughput
        if estimate is None or self.usd_per_hour is None:
            return None
        return usd_per_million_tokens(self.usd_per_hour, estimate.tokens_per_second.best * self.replicas)

    @property
    def idle_gpus(self) -> int:
        """GPUs that no replica uses, over all nodes."""
        if self.sizes is None:
            return 0
        used = self.replicas * self.ranks
        return self.total_nodes * self.instance.gpus - used

    @cached_property
    def startup(self) -> StartupBudget:
        """Time allowed for a replica to start and return its first token."""
        return startup_budget(
            weights_bytes=self.model.weights_bytes,
            network_gbps=self.instance.network_gbps,
            weights_source=self.options.weights_source,
            readers=1 if self.reads_once else max(1, self.gpus_per_pod),
        )

    @property
    def reads_once(self) -> bool:
        """Whether the ranks of a node share one read from S3 (runai_streamer's distributed mode).

        This mode needs more than one rank and, by the EKS user guide, conflicts with --enforce-eager.
        """
        return self.gpus_per_pod > 1 and not self.options.enforce_eager
