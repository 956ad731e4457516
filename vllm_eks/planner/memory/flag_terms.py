"""GPU memory that individual flags take from the KV cache."""

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.ranges import exactly
from vllm_eks.planner.units import BYTES_PER_GIB


def flag_terms(options: ResolvedOptions) -> tuple[Term, ...]:
    """Return the memory that flags take from the KV cache of every rank."""
    size = options.flags.ipc_gpu_memory_gib * BYTES_PER_GIB
    if not size:
        return ()
    # multimodal/gpu_ipc_memory.py, reserve_mm_ipc_gpu_memory
    return (Term(name="media of the API server", bytes=exactly(size), rule="--mm-ipc-gpu-memory-gb"),)
