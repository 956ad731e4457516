"""What vLLM refuses whatever the memory: shards that do not divide, forms a GPU cannot run.

Each rule is a function that yields refusals; `rule_refusals` asks them all. Sources: vLLM config/model.py,
config/parallel.py, layers/linear.py, layers/vocab_parallel_embedding.py, layers/quantization/*, as read in the
wheels of 0.10 to 0.33.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from planner.architecture import Architecture
from planner.instances import InstanceType
from planner.options import ResolvedOptions
from planner.quantization import MARLIN_INPUT_TILE, MARLIN_OUTPUT_TILE
from planner.versions import FP8_BLOCK_REFINED, FP8_ON_TURING, NATIVE_MULTI_NODE
from planner.weights import padded_vocab_size


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One reason why something does not work; `code` is part of the --json contract."""

    code: str
    message: str


def rule_refusals(
    model: Architecture,
    instance: InstanceType,
    options: ResolvedOptions,
    *,
    tensor_parallel_size: int,
    pipeline_parallel_size: int,
) -> tuple[Refusal, ...]:
    """Return every rule that this layout breaks, in the order people look for them."""
    tp, pp = tensor_parallel_size, pipeline_parallel_size
    return (
        *_gpus(instance, tp),
        *_heads(model, tp),
        *_shards(model, tp, options),
        *_quantized_shards(model, instance, tp, options),
        *_stages(model, pp, options),
        *_generation(model, instance, options),
    )


def _gpus(instance: InstanceType, tp: int) -> Iterator[Refusal]:
    if tp > instance.gpus:
        yield Refusal(
            code="not_enough_gpus",
            message=f"TP={tp} needs {tp} GPUs in one node, {instance.type} has {instance.gpus}; "
            "tensor parallelism stays inside a node, use pipeline parallelism over nodes",
        )


def _heads(model: Architecture, tp: int) -> Iterator[Refusal]:
    heads, kv_heads = model.num_attention_heads, model.num_key_value_heads
    if heads % tp:
        yield Refusal(
            code="heads_not_divisible",
            message=f"{heads} attention heads cannot be split over TP={tp}",
        )
    if (kv_heads >= tp and kv_heads % tp) or (kv_heads < tp and tp % kv_heads):
        yield Refusal(
            code="kv_heads_not_divisible",
            message=f"{kv_heads} KV heads can neither be split over nor replicated to TP={tp}",
        )
    if model.vision and model.vision.num_attention_heads % tp:
        yield Refusal(
            code="heads_not_divisible",
            message=f"{model.vision.num_attention_heads} vision attention heads cannot be split over TP={tp}",
        )


def _shards(model: Architecture, tp: int, options: ResolvedOptions) -> Iterator[Refusal]:
    sizes = {"padded vocabulary": padded_vocab_size(model.vocab_size)}
    experts = model.experts
    if experts and not options.enable_expert_parallel:
        sizes["expert intermediate size"] = experts.intermediate_size
    if experts and experts.shared_intermediate_size:
        sizes["shared expert intermediate size"] = experts.shared_intermediate_size
    if len(model.moe_layers) < model.num_hidden_layers:
        sizes["intermediate size"] = model.intermediate_size
    if model.vision:
        sizes["vision intermediate size"] = model.vision.intermediate_size
    for name, size in sizes.items():
        if size % tp:
            yield Refusal(code="shard_not_divisible", message=f"{name} {size} cannot be split over TP={tp}")
    if experts and model.name.startswith("Qwen3Moe") and tp > experts.count:
        yield Refusal(code="shard_not_divisible", message=f"TP={tp} is more than the {experts.count} experts")


def _quantized_shards(
    model: Architecture, instance: InstanceType, tp: int, options: ResolvedOptions
) -> Iterator[Refusal]:
    if not model.quantization.is_quantized or model.num_attention_heads % tp:
        return
    for name, size in _quantized_sizes(model, tp, options):
        if size % tp:
            continue  # told by _shards
        shard = size // tp
        if model.quantization.block:
            yield from _block_rule(model, instance, name, shard, tp, options)
        elif model.quantization.uses_marlin:
            yield from _marlin_rule(model, name, shard, tp)


def _quantized_sizes(model: Architecture, tp: int, options: ResolvedOptions) -> Iterator[tuple[str, int]]:
    """Yield (name, size) of every dimension that TP cuts and that is stored quantized."""
    layer = model.num_hidden_layers - 1
    if model.quantization.covers(f"model.layers.{layer}.self_attn.o_proj"):
        yield "attention output size", model.num_attention_heads * model.head_dim
    experts = model.experts
    if experts and not options.enable_expert_parallel:
        yield "expert intermediate size", experts.intermediate_size
    if experts and experts.shared_intermediate_size:
        yield "shared expert intermediate size", experts.shared_intermediate_size
    if len(model.moe_layers) < model.num_hidden_layers:
        yield "intermediate size", model.intermediate_size


def _block_rule(
    model: Architecture, instance: InstanceType, name: str, shard: int, tp: int, options: ResolvedOptions
) -> Iterator[Refusal]:
    block = (model.quantization.block or (128, 128))[0]
    if shard % block == 0:
        return
    refined = gcd(block, shard, model.hidden_size)
    is_expert = name.startswith("expert")
    # Only Triton kernels take the refined block, and those need native FP8 (sm89 and up).
    takes_refined = options.version >= FP8_BLOCK_REFINED and instance.sm >= 89 and refined >= 32
    if is_expert and model.quantization.method == "fp8" and takes_refined:
        return
    remedy = "; --enable-expert-parallel keeps experts whole" if is_expert else ""
    yield Refusal(
        code="shard_not_divisible",
        message=f"{name} {shard * tp} over TP={tp} leaves {shard}, no multiple of the FP8 block {block}{remedy}",
    )


def _marlin_rule(model: Architecture, name: str, shard: int, tp: int) -> Iterator[Refusal]:
    group = model.quantization.group_size or MARLIN_INPUT_TILE
    step = group if name.endswith("expert intermediate size") else max(group, MARLIN_INPUT_TILE)
    if shard % step or shard % MARLIN_OUTPUT_TILE:
        yield Refusal(
            code="shard_not_divisible",
            message=f"{name} {shard * tp} over TP={tp} leaves {shard}, no multiple of {step} "
            f"(group size {group} of the {model.quantization.weight_bits}-bit weights)",
        )


def _stages(model: Architecture, pp: int, options: ResolvedOptions) -> Iterator[Refusal]:
    if pp > model.num_hidden_layers:
        yield Refusal(
            code="too_few_layers",
            message=f"{model.num_hidden_layers} layers cannot fill PP={pp} stages",
        )
    if pp > 1 and options.version < NATIVE_MULTI_NODE:
        yield Refusal(
            code="pipeline_unsupported",
            message=f"PP={pp} needs vLLM's own multi-node start, which exists from 0.11.1",
        )


def _generation(model: Architecture, instance: InstanceType, options: ResolvedOptions) -> Iterator[Refusal]:
    quantization, sm = model.quantization, instance.sm
    gpu = f"{instance.gpu} (compute capability {instance.compute_capability})"
    if sm < 70:
        yield Refusal(code="dtype_unsupported", message=f"vLLM does not run on {gpu}")
    if model.dtype == "bfloat16" and sm < 80 and quantization.method == "compressed-tensors":
        # WNA16 schemes of compressed-tensors ask for Ampere (get_min_capability 80).
        yield Refusal(
            code="quantization_unsupported", message=f"compressed-tensors weights need 8.0 or more, not {gpu}"
        )
    elif quantization.is_fp8 and (sm < 75 or (sm < 80 and options.version < FP8_ON_TURING)):
        yield Refusal(code="quantization_unsupported", message=f"FP8 weights do not run on {gpu}")
    if options.kv_cache_dtype.startswith("fp8") and sm < 80:
        yield Refusal(code="dtype_unsupported", message=f"an FP8 KV cache does not run on {gpu}")
    if options.enable_expert_parallel and not model.experts:
        yield Refusal(code="dtype_unsupported", message="--enable-expert-parallel: the model has no experts")
