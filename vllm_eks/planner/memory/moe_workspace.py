"""The workspace that kernels of routed experts keep after the forward pass.

Sources: workspace_shapes of each class in model_executor/layers/fused_moe (Triton, Marlin, CUTLASS, DeepGEMM: two
buffers of tokens x experts per token, each as wide as its widest use), and the order of kernels in fused_moe/oracle. It
agrees with logs of Qwen3-VL-30B on one H200: 6.16 GiB in addition to weights and KV cache in 0.13.0, 6.66 GiB in
0.16.0.
"""

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import (
    BLACKWELL_RUNS_EXPERTS_WITHOUT_WORKSPACE,
    HOPPER_RUNS_STATIC_FP8_WITHOUT_WORKSPACE,
    MOE_CHUNKS_REMOVED,
    MOE_WORKSPACES_KEPT,
)
from vllm_eks.planner.hardware.instances import Gpu
from vllm_eks.planner.models.architecture import Architecture

CHUNK_TOKENS = 16_384
"""VLLM_FUSED_MOE_CHUNK_SIZE, while it existed."""
BYTES_PER_VALUE = 2


def keeps_workspace(model: Architecture, gpu: Gpu, options: ResolvedOptions) -> bool:
    """Return whether this version's kernel for the model's experts keeps a workspace on this GPU."""
    if not model.experts or options.version < MOE_WORKSPACES_KEPT:
        return False
    quantization = model.quantization
    if 100 <= gpu.sm < 120:
        # FlashInfer's kernels for Blackwell need none.
        small = quantization.is_quantized and quantization.is_float
        return not small and options.version < BLACKWELL_RUNS_EXPERTS_WITHOUT_WORKSPACE
    if gpu.sm != 90 or not quantization.is_fp8:
        return True
    if quantization.has_static_scales:
        return options.version < HOPPER_RUNS_STATIC_FP8_WITHOUT_WORKSPACE
    # On Hopper, FP8 blocks run with Triton under tensor parallelism, and with FlashInfer under expert parallelism.
    return not (quantization.block and options.enable_expert_parallel)


def workspace_bytes(model: Architecture, gpu: Gpu, options: ResolvedOptions, *, tensor_parallel_size: int) -> int:
    """Return the bytes of the workspace on one rank, or 0 when the kernel keeps none."""
    experts = model.experts
    if experts is None or not keeps_workspace(model, gpu, options):
        return 0
    tokens = options.max_num_batched_tokens
    if options.version < MOE_CHUNKS_REMOVED:
        tokens = min(tokens, CHUNK_TOKENS)
    split = 1 if options.enable_expert_parallel else tensor_parallel_size
    size, width = -(-experts.intermediate_size // split), experts.input_size or model.hidden_size
    first = (experts.matrices - 1) * size  # gate and up, or up alone
    return tokens * experts.per_token * (max(size, width) + max(first, width)) * BYTES_PER_VALUE
