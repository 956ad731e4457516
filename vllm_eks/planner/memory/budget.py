"""How the budget of a rank is split: the KV cache gets the rest after all terms, or the size that a flag sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.hardware.instances import Gpu
from vllm_eks.planner.memory import constants
from vllm_eks.planner.memory.terms import Term, budget_bytes
from vllm_eks.planner.ranges import Range, exactly, sum_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Budget:
    """The budget of one rank."""

    bytes: int
    free: Range
    """Bytes left for the KV cache, negative when the rank cannot start."""
    kv_cache: Range
    """Bytes of the KV cache: those that are left, or those that a flag sets."""


def split_budget(gpu: Gpu, options: ResolvedOptions, needed: Sequence[Term], *, block_bytes: int) -> Budget:
    """Return the budget of a rank.

    --kv-cache-memory-bytes ignores the utilization (v1/worker/gpu_worker.py, determine_available_memory);
    --num-gpu-blocks-override sets the number of blocks after it (v1/core/kv_cache_utils.py).
    """
    fixed = options.flags.kv_cache_bytes
    total = budget_bytes(gpu.memory_gib, 1.0 if fixed else options.gpu_memory_utilization)
    free = _remaining(total, needed)
    kv_cache = exactly(float(fixed)) if fixed else free
    if options.flags.num_gpu_blocks:
        kv_cache = exactly(float(options.flags.num_gpu_blocks * block_bytes))
    if fixed:
        total = ceil(sum(term.size_bytes for term in needed) + kv_cache.best)
    return Budget(bytes=total, free=free, kv_cache=kv_cache)


def _remaining(total_bytes: int, needed: Sequence[Term]) -> Range:
    """Return the budget minus the terms, with what no term explains."""
    spent = sum_of([term.bytes for term in needed])
    return constants.TOTAL_MEMORY * total_bytes + constants.UNEXPLAINED + -spent
