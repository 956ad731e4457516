"""A roofline estimate of tokens per second from memory and interconnect bandwidth alone.

One decode step reads the weights and the KV cache of every running request once, and all-reduces activations twice a
layer (Megatron-style tensor parallelism). Arithmetic, scheduling and prefill make real runs slower. Prefix cache hits
and shorter requests make them faster. The estimate ranks machines and is not a bound in either direction.
"""

from dataclasses import dataclass

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.startup import GB
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.stages import Layout, Stage
from vllm_eks.planner.models.known_models import ModelFacts

FORMULA = (
    "running requests / slowest stage's step; step = the larger of (weights + KV cache read) / memory bandwidth and "
    "2 all-reduces a layer / interconnect"
)


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """The estimate for one replica."""

    running_requests: int
    tokens_per_second: float


def roofline(
    model: ModelFacts, instance: InstanceType, layout: Layout, options: ResolvedOptions, *, concurrency: float
) -> Roofline | None:
    """Return the estimated decode tokens per second of one replica, or None when a bandwidth is unknown.

    The bandwidth of host memory is unknown, and it limits plans with weights in host memory.

    Args:
        model: The model, for its experts and hidden size.
        instance: The type, for memory bandwidth and interconnect of a GPU in GB/s.
        layout: The layout, for the weights and KV bytes of each stage.
        options: For max_num_seqs and max_model_len.
        concurrency: Requests of max_model_len tokens that the KV cache holds.
    """
    bandwidth = instance.gpu_memory_bandwidth_gbytes_per_second
    if not bandwidth or concurrency < 1 or not options.flags.offload.is_off:
        return None
    running = max(1, min(options.max_num_seqs, int(concurrency)))
    step = max(_step_seconds(model, instance, layout, stage, options, running, bandwidth) for stage in layout.stages)
    return Roofline(running_requests=running, tokens_per_second=running / step)


def _step_seconds(
    model: ModelFacts,
    instance: InstanceType,
    layout: Layout,
    stage: Stage,
    options: ResolvedOptions,
    running: int,
    bandwidth_gbytes_per_second: float,
) -> float:
    blocks = layout.cache.blocks_per_request(options.max_model_len, options)
    kv_bytes = running * blocks * stage.block_bytes
    read = stage.weights.size_bytes * weights_read_share(model, running) + kv_bytes
    seconds = read / (bandwidth_gbytes_per_second * GB)
    tp, link = layout.tensor_parallel_size, instance.gpu_interconnect_gbytes_per_second
    if tp > 1 and link:
        # In a ring all-reduce each rank sends and receives 2 (tp - 1) / tp of the data.
        one = 2 * running * model.architecture.hidden_size * 2 * (tp - 1) / tp
        seconds = max(seconds, 2 * stage.layers * one / (link * GB))
    return seconds


def weights_read_share(model: ModelFacts, running: int) -> float:
    """Return the share of the weights that one step reads with this many requests. Unrouted experts are not read."""
    experts = model.architecture.experts
    if experts is None:
        return 1.0
    touched = 1 - (1 - experts.per_token / experts.count) ** running
    return 1 - model.parts.routed_share * (1 - touched)


def usd_per_million_tokens(usd_per_hour: float, tokens_per_second: float) -> float:
    """Return the price of a million tokens in US dollars."""
    return usd_per_hour / 3600 / tokens_per_second * 1e6
