"""Weights that stay in host memory: the GPU memory that they save, and the host memory that they and an offloaded KV
cache need on a node.

Source: model_executor/offloader/uva.py and prefetch.py of 0.21.0 and 0.27.0. Only decoder layers are moved.
"""

from collections.abc import Sequence

from vllm_eks.planner.engine.engine_flags import PROCESSOR_CACHE_GIB, EngineFlags, Offload
from vllm_eks.planner.units import BYTES_PER_GIB

PINNED_GROWTH = 1.5
"""Host bytes for each offloaded byte. PyTorch rounds every pinned tensor up to a power of two: 1.18 for the matrices of
Llama 70B at TP=8, 2 at most. The estimate is between them."""
PROCESSOR_CACHES = 2
"""The API server and the engine each have a processor cache (vllm/config/multimodal.py)."""


def offloaded_bytes(layer_bytes: Sequence[float], offload: Offload) -> float:
    """Return the bytes of a rank's layers that stay in host memory.

    Args:
        layer_bytes: The weights of each of its layers.
        offload: The flags. vLLM uses groups of layers if both kinds are given.
    """
    if not offload.group_layers:
        return min(offload.gib_per_gpu * BYTES_PER_GIB, sum(layer_bytes))
    first = offload.group_layers - offload.layers_of_group
    moved = [size for index, size in enumerate(layer_bytes) if index % offload.group_layers >= first]
    # Buffers of the layers that are fetched ahead stay on the GPU.
    return max(0.0, sum(moved) - offload.fetched_layers * max(moved, default=0.0))


def host_bytes_per_worker(weights_per_worker: float, offload: Offload) -> float:
    """Return the host memory that a worker's offloaded weights take.

    Args:
        weights_per_worker: The weights of its rank.
        offload: The flags.
    """
    if offload.group_layers:
        moved = weights_per_worker * offload.layers_of_group / offload.group_layers
    else:
        moved = min(offload.gib_per_gpu * BYTES_PER_GIB, weights_per_worker)
    return PINNED_GROWTH * moved


def host_bytes_of_flags(flags: EngineFlags, *, weights_per_worker: float, workers: int, ranks_of_replica: int) -> float:
    """Return the host memory of a node that flags take permanently.

    Args:
        flags: The flags.
        weights_per_worker: The weights of a rank.
        workers: Workers on the node.
        ranks_of_replica: Ranks of a replica, over all its nodes.
    """
    replicas = workers / ranks_of_replica
    caches = PROCESSOR_CACHES * max(0.0, flags.processor_cache_gib - PROCESSOR_CACHE_GIB) * BYTES_PER_GIB
    return (
        workers * host_bytes_per_worker(weights_per_worker, flags.offload)
        + replicas * flags.kv_offloading_bytes
        + max(1.0, replicas) * caches
    )
