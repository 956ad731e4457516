"""Shard sizes that quantized formats accept: block scales and kernel tiles must divide the shard of each rank.

Sources: vLLM layers/quantization/{fp8,utils/marlin_utils,utils/fp8_utils}.py and layers/fused_moe/oracle/fp8.py in the
wheels of 0.10 to 0.33.
"""

from collections.abc import Iterator
from math import gcd

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import FP8_BLOCK_OF_MERGED_LAYERS, FP8_BLOCK_REFINED, MARLIN_PADS
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.quantization import MARLIN_INPUT_TILE, MARLIN_OUTPUT_TILE

SMALLEST_REFINED_BLOCK = 32


def quantized_shard_errors(
    model: Architecture, instance: InstanceType, tensor_parallel_size: int, options: ResolvedOptions
) -> Iterator[str]:
    """Yield a message for each quantized dimension whose shard the format does not accept."""
    tp, quantization = tensor_parallel_size, model.quantization
    if not quantization.is_quantized or model.num_attention_heads % tp:
        return
    for name, size in _quantized_sizes(model, tp, options):
        if size % tp:
            continue  # validity.py already reports it
        if name == "key size" and not (quantization.block and options.version < FP8_BLOCK_OF_MERGED_LAYERS):
            continue
        if quantization.block:
            yield from _block_errors(model, instance, name, size, tp, options)
        elif quantization.uses_marlin:
            yield from _marlin_errors(model, name, size, tp, options)


def _quantized_sizes(model: Architecture, tp: int, options: ResolvedOptions) -> Iterator[tuple[str, int]]:
    """Yield (name, size) of each quantized dimension that TP splits."""
    prefix = f"model.layers.{model.num_hidden_layers - 1}"
    module = model.expert_module.removesuffix(".experts")
    if model.quantization.covers(f"{prefix}.self_attn.o_proj"):
        head = model.latent.v_head_dim if model.latent else model.head_dim
        yield "attention output size", model.num_attention_heads * head
        if not model.latent:
            # With fewer KV heads than ranks, each rank has a copy of one head.
            yield "key size", max(model.num_key_value_heads, tp) * head
    experts = model.experts
    if (
        experts
        and not options.enable_expert_parallel
        and model.quantization.covers(f"{prefix}.{model.expert_module}.0")
    ):
        yield "expert intermediate size", experts.intermediate_size
    if (
        experts
        and experts.shared_intermediate_size
        and model.quantization.covers(f"{prefix}.{module}.shared_experts.down_proj")
    ):
        yield "shared expert intermediate size", experts.shared_intermediate_size
    if model.dense_layers and model.quantization.covers(f"{prefix}.{module}.down_proj"):
        yield "intermediate size", model.intermediate_size


def _block_errors(
    model: Architecture, instance: InstanceType, name: str, size: int, tp: int, options: ResolvedOptions
) -> Iterator[str]:
    block, shard = (model.quantization.block or (128, 128))[0], size // tp
    if shard % block == 0:
        return
    is_expert = name.startswith("expert")
    refined = gcd(block, shard, model.hidden_size)
    # Only Triton kernels accept the refined block, and they need native FP8 (sm89 and up).
    accepts_refined = options.version >= FP8_BLOCK_REFINED and instance.sm >= 89 and refined >= SMALLEST_REFINED_BLOCK
    if is_expert and model.quantization.method == "fp8" and accepts_refined:
        return
    fix = "; use --enable-expert-parallel, which does not split experts" if is_expert else ""
    yield f"{name} {size} over TP={tp} gives {shard} per rank, which is not a multiple of the FP8 block {block}{fix}"


def _marlin_errors(model: Architecture, name: str, size: int, tp: int, options: ResolvedOptions) -> Iterator[str]:
    shard = size // tp
    group = model.quantization.group_size or MARLIN_INPUT_TILE
    pads = options.version >= MARLIN_PADS
    step = group if pads or name.endswith("expert intermediate size") else max(group, MARLIN_INPUT_TILE)
    if shard % step or (shard % MARLIN_OUTPUT_TILE and not pads):
        yield (
            f"{name} {size} over TP={tp} gives {shard} per rank, which is not a multiple of {step} "
            f"(group size {group} of the {model.quantization.weight_bits}-bit weights)"
        )
