"""Layouts that vLLM refuses regardless of memory: sizes that do not divide, and types that a GPU does not support.

Each rule is a function that yields refusals, and `rule_refusals` runs them all. Sources: vLLM config/model.py,
config/parallel.py, layers/linear.py, layers/vocab_parallel_embedding.py and layers/quantization/* in the wheels of
0.10 to 0.33.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from vllm_eks.planner.engine.attention import attention_errors, is_fp8, kv_cache_dtype
from vllm_eks.planner.engine.attention_backends import backend_errors
from vllm_eks.planner.engine.drafting_rules import drafting_errors
from vllm_eks.planner.engine.encoder_ranks import encoder_ranks
from vllm_eks.planner.engine.flag_rules import dtype_errors
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.quantized_gpus import scheme_errors
from vllm_eks.planner.engine.quantized_shards import quantized_shard_errors
from vllm_eks.planner.engine.refusal_codes import RefusalCode
from vllm_eks.planner.engine.versions import (
    BROKEN_ACROSS_NODES,
    DECODE_CONTEXT_PARALLEL,
    NATIVE_MULTI_NODE,
    QWEN_VL_PIPELINES_BROKEN,
)
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import (
    Attention,
    Beside,
    GroupedQuery,
    KimiDelta,
    Lightning,
    LinearState,
    Mamba1,
    Mamba2,
    ShortConv,
)
from vllm_eks.planner.models.stage_layers import stage_layers
from vllm_eks.planner.models.weights import padded_vocab_size

EXPERTS_BOUND_TP = ("Qwen2Moe", "Qwen3Moe", "Qwen3VLMoe", "Qwen3Next", "Qwen3_5Moe", "MiniMaxM2")
"""Architectures whose class refuses more ranks than experts (such as models/qwen3_moe.py)."""
EXPERTS_ON_EVERY_STAGE = tuple(
    "NemotronH Glm4MoeFor HYV3 Sarvam Qwen3 InternS1Pro Afmoe PanguProMoE PanguUltra".split()
)
"""Starts of architectures whose class refuses a stage without experts ("No ... layer found in model.layers")."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One reason that a plan is refused. `code` is part of the --json contract."""

    code: RefusalCode
    message: str


def rule_refusals(
    model: Architecture,
    instance: InstanceType,
    options: ResolvedOptions,
    *,
    tensor_parallel_size: int,
    pipeline_parallel_size: int,
) -> tuple[Refusal, ...]:
    """Return a refusal for each rule that the layout breaks, the most likely first."""
    tp, pp = tensor_parallel_size, pipeline_parallel_size
    return (
        *_gpus(instance, tp),
        *_heads(model, tp, options),
        *_shards(model, tp, options),
        *(
            Refusal(code="shard_not_divisible", message=text)
            for text in quantized_shard_errors(model, instance, tp, options)
        ),
        *_stages(model, pp, options, in_one_node=tp * pp <= instance.gpus),
        *_generation(model, instance, options),
        *_context_parallel(model, tp, options),
        *(Refusal(code="dtype_unsupported", message=text) for text in dtype_errors(model, instance, options.flags)),
        *(Refusal(code="engine_refuses", message=text) for text in drafting_errors(model, options, tp)),
        *_adapters(options),
    )


def _adapters(options: ResolvedOptions) -> Iterator[Refusal]:
    kept = options.flags.max_cpu_loras
    if kept and kept < options.max_loras:
        yield Refusal(
            code="engine_refuses",
            message=f"--max-cpu-loras {kept} is below the {options.max_loras} adapters of a batch: set it to "
            f"{options.max_loras} or more, or remove it",
        )


def _gpus(instance: InstanceType, tp: int) -> Iterator[Refusal]:
    if tp > instance.gpus:
        yield Refusal(
            code="not_enough_gpus",
            message=f"TP={tp} needs {tp} GPUs in one node, and {instance.type} has {instance.gpus}: use pipeline "
            "parallelism across nodes",
        )


def _heads(model: Architecture, tp: int, options: ResolvedOptions) -> Iterator[Refusal]:
    if model.is_attention_free:
        yield from _states(model, tp)
        return
    heads, kv_heads = model.num_attention_heads, model.num_key_value_heads
    if heads % tp:
        yield Refusal(code="heads_not_divisible", message=f"{heads} attention heads cannot be split over TP={tp}")
    # Latent attention keeps one compressed KV vector on every rank, so no KV heads are split.
    if not model.latent and ((kv_heads >= tp and kv_heads % tp) or (kv_heads < tp and tp % kv_heads)):
        yield Refusal(
            code="kv_heads_not_divisible",
            message=f"{kv_heads} KV heads cannot be split or replicated evenly over TP={tp}",
        )
    yield from _states(model, tp)
    vision = model.vision
    # Where TP does not divide the heads, some classes keep the attention whole.
    if vision and not vision.attention_parameters and vision.num_attention_heads % encoder_ranks(model, options, tp):
        yield Refusal(
            code="heads_not_divisible",
            message=f"{vision.num_attention_heads} vision attention heads cannot be split over TP={tp}",
        )


def _states(model: Architecture, tp: int) -> Iterator[Refusal]:
    """Yield a refusal for each size of a state-keeping mixer that TP does not divide."""
    for layer in model.mixers:
        for name, count in _state_sizes(layer.state if isinstance(layer, Beside) else layer):
            if count % tp:
                yield Refusal(code="heads_not_divisible", message=f"{count} {name} cannot be split over TP={tp}")


def _state_sizes(mixer: Attention) -> Iterator[tuple[str, int]]:
    match mixer:
        case LinearState():
            yield "linear-attention key heads", mixer.key_heads
            yield "linear-attention value heads", mixer.value_heads
        case Mamba2():
            yield "Mamba heads", mixer.heads
            if mixer.groups > 1:
                yield "Mamba groups", mixer.groups
        case Mamba1():
            yield "Mamba channels", mixer.size
        case ShortConv():
            yield "convolution channels", mixer.size
        case KimiDelta() | Lightning():
            yield "linear-attention heads", mixer.heads
        case _:
            return


def _shards(model: Architecture, tp: int, options: ResolvedOptions) -> Iterator[Refusal]:
    sizes = {"padded vocabulary": padded_vocab_size(model.vocab_size)}
    experts = model.experts
    # MXFP4 rounds expert shards up, so every size works.
    if experts and not options.enable_expert_parallel and model.quantization.method != "mxfp4":
        sizes["expert intermediate size"] = experts.intermediate_size
    if experts and experts.shared_intermediate_size:
        sizes["shared expert intermediate size"] = experts.shared_intermediate_size
    if model.dense_layers:
        sizes["intermediate size"] = model.intermediate_size
    if model.vision and encoder_ranks(model, options, tp) > 1:
        sizes["vision intermediate size"] = model.vision.intermediate_size
    for name, size in sizes.items():
        if size % tp:
            yield Refusal(code="shard_not_divisible", message=f"{name} {size} cannot be split over TP={tp}")
    if experts and model.name.startswith(EXPERTS_BOUND_TP) and tp > experts.count:
        yield Refusal(code="shard_not_divisible", message=f"TP={tp} is more than the {experts.count} experts")


def _stages(model: Architecture, pp: int, options: ResolvedOptions, *, in_one_node: bool) -> Iterator[Refusal]:
    if pp > model.num_hidden_layers:
        yield Refusal(
            code="too_few_layers",
            message=f"{model.num_hidden_layers} layers cannot fill PP={pp} stages",
        )
    if model.moe_layers and model.name.startswith(EXPERTS_ON_EVERY_STAGE) and _has_stage_without_experts(model, pp):
        yield Refusal(
            code="too_few_layers",
            message=f"each of PP={pp} stages needs experts, and {len(model.moe_layers)} layers have them",
        )
    if pp > 1 and model.without_pipeline:
        yield Refusal(code="pipeline_unsupported", message=model.without_pipeline)
    since, until = QWEN_VL_PIPELINES_BROKEN
    if pp > 1 and model.name.startswith("Qwen3VL") and since <= options.version < until:
        yield Refusal(
            code="pipeline_unsupported",
            message=f"{model.name} with PP={pp} does not start in vLLM {'.'.join(map(str, options.version))} "
            f"(vllm#43271): use {'.'.join(map(str, until))} or later, or PP=1",
        )
    if pp > 1 and not in_one_node and options.version < NATIVE_MULTI_NODE:
        yield Refusal(
            code="pipeline_unsupported",
            message=f"PP={pp} across nodes needs vLLM's multi-node start: use 0.11.1 or later",
        )
    if pp > 1 and not in_one_node and options.version in BROKEN_ACROSS_NODES:
        yield Refusal(
            code="engine_refuses",
            message=f"PP={pp} across nodes does not work in vLLM {'.'.join(map(str, options.version))} (vllm#37933, "
            "vllm#41864): use another release",
        )


def _has_stage_without_experts(model: Architecture, pp: int) -> bool:
    ends = list(accumulate(stage_layers(model.num_hidden_layers, pp), initial=0))
    return any(model.moe_layers.isdisjoint(range(first, end)) for first, end in pairwise(ends))


def _generation(model: Architecture, instance: InstanceType, options: ResolvedOptions) -> Iterator[Refusal]:
    """Yield a refusal for each thing that this GPU generation or vLLM version does not support (get_min_capability
    of each class)."""
    sm = instance.sm
    gpu = f"{instance.gpu} (compute capability {instance.compute_capability})"
    if sm < 70:
        yield Refusal(code="dtype_unsupported", message=f"vLLM does not run on {gpu}")
    for error in scheme_errors(model.quantization, sm, options.version):
        yield Refusal(code="quantization_unsupported", message=error.format(gpu=gpu))
    if is_fp8(kv_cache_dtype(model, sm, options)) and sm < 80:
        yield Refusal(code="dtype_unsupported", message=f"an FP8 KV cache does not run on {gpu}")
    for error in backend_errors(model, instance, options):
        yield Refusal(code="dtype_unsupported", message=error)
    for error in attention_errors(model, sm, options):
        yield Refusal(code="dtype_unsupported", message=f"{error}, not {gpu}" if "capability" in error else error)
    if options.enable_expert_parallel and not model.experts:
        yield Refusal(code="dtype_unsupported", message="--enable-expert-parallel: the model has no experts")


def _context_parallel(model: Architecture, tp: int, options: ResolvedOptions) -> Iterator[Refusal]:
    """Yield a refusal when decode context parallelism cannot split the KV cache over ranks that hold copies of it."""
    ranks = options.decode_context_parallel_size
    if ranks == 1:
        return
    copies = tp if model.latent else max(1, tp // model.num_key_value_heads)
    queries_per_head = ranks if model.latent else model.num_attention_heads // model.num_key_value_heads
    reasons = {
        "needs vLLM 0.10.2 or later": options.version < DECODE_CONTEXT_PARALLEL,
        f"TP={tp} is not a multiple of it": tp % ranks != 0,
        f"at TP={tp} only {copies} ranks hold the same KV heads": ranks > copies,
        f"{queries_per_head} queries per KV head cannot be split": queries_per_head % ranks != 0,
        "layers with a sliding window cannot be split": any(
            isinstance(layer, GroupedQuery) and layer.window_tokens for layer in model.attention
        ),
    }
    for reason, applies in reasons.items():
        if applies:
            yield Refusal(code="shard_not_divisible", message=f"--decode-context-parallel-size {ranks}: {reason}")
            return
