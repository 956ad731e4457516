"""GPU memory of one rank, term by term, before vLLM sizes the KV cache.

The order follows vLLM (v1/worker/gpu_worker.py, determine_available_memory). The budget is total x utilization. vLLM
subtracts weights, the activation peak, memory outside torch and, since 0.20, CUDA graphs. The rest is the KV cache.
"""

from dataclasses import dataclass
from math import ceil

from vllm_eks.planner.engine.attention import BLOCK_TOKENS
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import (
    COMPILING_COUNTED,
    FULL_GRAPHS_TOO,
    FUSED_ALLREDUCE,
    FUSED_ALLREDUCE_IN_PIPELINES,
    GRAPH_SIZES_THINNED,
)
from vllm_eks.planner.hardware.instances import Gpu
from vllm_eks.planner.memory import constants
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import NoMixer
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.units import BYTES_PER_GIB, BYTES_PER_MIB


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term of the sum: its bytes, and the rule that it is computed by."""

    name: str
    bytes: Range
    rule: str

    @property
    def size_bytes(self) -> float:
        """Best estimate of the size."""
        return self.bytes.best


def budget_bytes(gpu_memory_gib: float, utilization: float) -> int:
    """Return ceil(total x utilization), as request_memory in vLLM's v1/worker/utils.py."""
    return ceil(gpu_memory_gib * BYTES_PER_GIB * utilization)


def buffers_term(model: Architecture, options: ResolvedOptions, *, groups: int, is_first: bool) -> Term:
    """Return the model runner's persistent buffers: input embeddings, inputs from the previous stage, block tables.

    Source: v1/worker/gpu_model_runner.py and block_table.py. The second model runner keeps block tables twice and
    creates them after it sizes the KV cache.
    """
    embedded = 2 * options.max_num_batched_tokens * model.hidden_size
    received = 0 if is_first else 2 * embedded
    tables = 4 * options.max_num_seqs * ceil(options.max_model_len / BLOCK_TOKENS) * groups
    return Term(
        name="runner buffers",
        bytes=Range(received, embedded + received + tables, embedded + received + 2 * tables),
        rule=f"{1 if is_first else 3} x {options.max_num_batched_tokens} tokens x {model.hidden_size} x 2 B, and block "
        f"tables of {options.max_num_seqs} seqs in {groups} group{'' if groups == 1 else 's'}",
    )


def non_torch_term(
    gpu: Gpu, options: ResolvedOptions, *, tensor_parallel_size: int, pipeline_parallel_size: int
) -> Term:
    """Return the memory outside torch: CUDA context, libraries, NCCL and the workspaces of all-reduce."""
    tp, pp = tensor_parallel_size, pipeline_parallel_size
    fused = fuses_allreduce(gpu, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
    if tp == 1:
        newer = options.version >= FUSED_ALLREDUCE
        size = constants.NON_TORCH_ONE_GPU_NEWER if newer else constants.NON_TORCH_ONE_GPU
    elif fused:
        size = constants.NON_TORCH_FUSED_ALLREDUCE
    elif not gpu.has_nvlink:
        size = constants.NON_TORCH_PCIE
    else:
        size = constants.NON_TORCH_FEW_GPUS if tp <= 4 else constants.NON_TORCH_MANY_GPUS
    if pp > 1:
        size = size + constants.NON_TORCH_PIPELINE
    link = "NVLink" if gpu.has_nvlink else "PCIe"
    return Term(
        name="outside torch",
        bytes=size,
        rule=f"CUDA context and NCCL at TP={tp} PP={pp} over {link}"
        + (", and the workspace of the fused all-reduce" if fused else "")
        + ", from logs",
    )


def fuses_allreduce(
    gpu: Gpu, options: ResolvedOptions, *, tensor_parallel_size: int, pipeline_parallel_size: int
) -> bool:
    """Return whether vLLM fuses the all-reduce with the norm (config/vllm.py, enable_allreduce_rms_fusion).

    It is a pass of the compiler, for the ranks that FlashInfer has sizes for, on Hopper and Blackwell.
    """
    compiles = options.version >= FUSED_ALLREDUCE and not options.enforce_eager
    stages = pipeline_parallel_size == 1 or options.version >= FUSED_ALLREDUCE_IN_PIPELINES
    return compiles and stages and tensor_parallel_size in (2, 4, 8) and (gpu.sm == 90 or 100 <= gpu.sm < 110)


def graph_capture_sizes(options: ResolvedOptions) -> tuple[int, ...]:
    """Return the batch sizes that vLLM captures: 1, 2, 4, 8..256 by 8, then by 16, up to min(2 x seqs, 512).

    With speculative decoding each sequence counts for its drafted tokens too. Flags may set the sizes or the largest
    one (config/vllm.py, _set_cudagraph_sizes).
    """
    graphs = options.flags.graphs
    if graphs.sizes is not None:
        return tuple(size for size in graphs.sizes if size <= options.max_num_batched_tokens)
    largest = graphs.largest or min(2 * _decode_rows(options), 512)
    by_8, by_16 = 8, 16 if options.version >= GRAPH_SIZES_THINNED else 8
    first = tuple(range(1, 33)) if graphs.fine else (1, 2, 4)
    sizes = {*first, *range(8, min(largest + 1, 256), by_8), *range(256, largest + 1, by_16)}
    return tuple(sorted(size for size in sizes if size <= min(largest, options.max_num_batched_tokens)))


def captured_graphs(options: ResolvedOptions) -> int:
    """Return the number of CUDA graphs that vLLM captures, 0 with --enforce-eager.

    vLLM captures one piecewise graph per size and, since 0.11, a full graph for each size of a decode batch.
    """
    graphs = options.flags.graphs
    if options.enforce_eager or graphs.is_off:
        return 0
    sizes = graph_capture_sizes(options)
    full = graphs.has_full_decode and options.version >= FULL_GRAPHS_TOO
    of_decode = sum(1 for size in sizes if 1 + options.drafted_tokens <= size <= _decode_rows(options))
    return (len(sizes) if graphs.has_piecewise else 0) + (of_decode if full else 0)


def _decode_rows(options: ResolvedOptions) -> int:
    """Return the tokens of the largest batch of decodes: one for each sequence, and those that are drafted."""
    return options.max_num_seqs * (1 + options.drafted_tokens)


def graph_bytes_per_layer(model: Architecture) -> Range:
    """Return the bytes of one CUDA graph and layer for this kind of model."""
    if any(isinstance(one, NoMixer) for one in model.mixers):
        return constants.GRAPH_BYTES_PER_DENSE_LAYER  # each layer is a mixer or an MLP, half of a usual layer
    if model.linear:
        return constants.GRAPH_BYTES_PER_HYBRID_LAYER
    if model.latent:
        return constants.GRAPH_BYTES_PER_LATENT_LAYER
    return constants.GRAPH_BYTES_PER_MOE_LAYER if model.experts else constants.GRAPH_BYTES_PER_DENSE_LAYER


def cuda_graph_term(model: Architecture, graphs: int, *, layers: int) -> Term:
    """Return the memory of the CUDA graphs on a stage with this number of layers."""
    each = graph_bytes_per_layer(model)
    return Term(
        name="CUDA graphs",
        bytes=each * (layers * graphs),
        rule=f"{each.best / BYTES_PER_MIB:.2f} MiB x {layers} layers x {graphs} captured graphs (estimate)",
    )


def compiling_term(options: ResolvedOptions) -> Term | None:
    """Return what a start with an empty compile cache takes, or None where logs do not show it."""
    if options.enforce_eager or options.version < COMPILING_COUNTED:
        return None
    return Term(
        name="compiling",
        bytes=constants.COMPILING,
        rule="the first start of a node compiles; with a filled cache it takes nothing (from logs)",
    )
