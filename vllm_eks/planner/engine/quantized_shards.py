"""Shard sizes that quantized formats accept: block scales and kernel tiles must divide the shard of each rank.

Sources: vLLM layers/quantization/{fp8,utils/marlin_utils,utils/fp8_utils}.py and layers/fused_moe/oracle/fp8.py in the
wheels of 0.10 to 0.33.
"""

from collections.abc import Iterator
from math import gcd

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import (
    COMPRESSED_PADS_SHARED_EXPERTS,
    FP8_BLOCK_OF_MERGED_LAYERS,
    FP8_BLOCK_REFINED,
    MARLIN_PADS,
)
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.quantization import MARLIN_INPUT_TILE, MARLIN_OUTPUT_TILE, Quantization

SMALLEST_REFINED_BLOCK = 32


def quantized_shard_errors(
    model: Architecture, instance: InstanceType, tensor_parallel_size: int, options: ResolvedOptions
) -> Iterator[str]:
    """Yield a message for each quantized dimension whose shard the format does not accept."""
    tp, quantization = tensor_parallel_size, model.quantization
    if not quantization.is_quantized or model.num_attention_heads % tp:
        return
    for name, size, module in _quantized_sizes(model, tp, options):
        scheme = quantization.of(module)
        if size % tp or scheme is None:
            continue  # validity.py reports sizes that TP does not divide
        if name == "key size" and not (scheme.block and options.version < FP8_BLOCK_OF_MERGED_LAYERS):
            continue
        if scheme.block:
            yield from _block_errors(model, scheme, instance, name, size, tp, options)
        elif scheme.uses_marlin:
            yield from _marlin_errors(scheme, name, size, tp, options)


def _quantized_sizes(model: Architecture, tp: int, options: ResolvedOptions) -> Iterator[tuple[str, int, str]]:
    """Yield (name, size, module) of each dimension that TP splits."""
    prefix = f"model.layers.{model.num_hidden_layers - 1}"
    module = model.expert_module.removesuffix(".experts")
    head = model.latent.v_head_dim if model.latent else model.head_dim
    output = model.num_attention_heads * head
    if model.compressed:
        output = model.compressed.output_groups * model.compressed.output_rank
    yield "attention output size", output, f"{prefix}.self_attn.o_proj"
    if not model.latent and not model.compressed:
        # With fewer KV heads than ranks, each rank has a copy of one head.
        yield "key size", max(model.num_key_value_heads, tp) * head, f"{prefix}.self_attn.o_proj"
    experts = model.experts
    if experts and not options.enable_expert_parallel:
        yield "expert intermediate size", experts.intermediate_size, f"{prefix}.{model.expert_module}.0"
    pads = model.compressed and options.version >= COMPRESSED_PADS_SHARED_EXPERTS
    if experts and experts.shared_intermediate_size and not pads:
        shared = f"{prefix}.{module}.shared_experts.down_proj"
        yield "shared expert intermediate size", experts.shared_intermediate_size, shared
    if model.dense_layers:
        yield "intermediate size", model.intermediate_size, f"{prefix}.{module}.down_proj"


def _block_errors(
    model: Architecture,
    scheme: Quantization,
    instance: InstanceType,
    name: str,
    size: int,
    tp: int,
    options: ResolvedOptions,
) -> Iterator[str]:
    block, shard = (scheme.block or (128, 128))[0], size // tp
    if shard % block == 0:
        return
    is_expert = name.startswith("expert")
    refined = gcd(block, shard, model.hidden_size)
    # Only Triton kernels accept the refined block, and they need native FP8 (sm89 and up).
    accepts_refined = options.version >= FP8_BLOCK_REFINED and instance.sm >= 89 and refined >= SMALLEST_REFINED_BLOCK
    if is_expert and scheme.method == "fp8" and accepts_refined:
        return
    fix = "; use --enable-expert-parallel, which does not split experts" if is_expert else ""
    yield f"{name} {size} over TP={tp} gives {shard} per rank, which is not a multiple of the FP8 block {block}{fix}"


def _marlin_errors(scheme: Quantization, name: str, size: int, tp: int, options: ResolvedOptions) -> Iterator[str]:
    shard = size // tp
    group = scheme.group_size or MARLIN_INPUT_TILE
    pads = options.version >= MARLIN_PADS
    step = group if pads or name.endswith("expert intermediate size") else max(group, MARLIN_INPUT_TILE)
    if shard % step or (shard % MARLIN_OUTPUT_TILE and not pads):
        yield (
            f"{name} {size} over TP={tp} gives {shard} per rank, which is not a multiple of {step} "
            f"(group size {group} of the {scheme.weight_bits}-bit weights)"
        )
