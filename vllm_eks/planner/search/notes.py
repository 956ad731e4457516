"""Notes on a plan that fits: its estimates, its changed defaults, and layouts that serve more at the same price."""

from collections.abc import Iterator
from dataclasses import replace

from vllm_eks.planner.engine.attention import kv_cache_dtype
from vllm_eks.planner.engine.flag_rules import runs_in_32_bits
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.engine.versions import CHUNKED_ATTENTION_IN_HYBRID
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.defaults import lowered
from vllm_eks.planner.search.flag_notes import notes_on_flags
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_warnings import machines
from vllm_eks.planner.vllm_version import OLDEST_READ

MIN_GAIN = 1.1
"""Smallest throughput ratio worth a note. Smaller gains are within the error of the estimate."""
INDEX_TOLERANCE = 0.05


def notes_on(plan: Plan, requested: ServingOptions) -> Iterator[str]:
    """Yield the notes on a plan that fits."""
    if plan.layout is None:
        return
    yield from _about_layout(plan, plan.layout, requested)
    yield from _about_facts(plan)
    yield from notes_on_flags(plan)
    yield from _about_version(plan.model, plan.options)


def _about_layout(plan: Plan, layout: Layout, requested: ServingOptions) -> Iterator[str]:
    architecture, tp = plan.model.architecture, layout.tensor_parallel_size
    if architecture.latent and tp > 1 and plan.options.decode_context_parallel_size == 1:
        yield f"latent attention keeps the whole KV cache on each of {tp} ranks: TP divides only the weights"
    elif tp > architecture.num_key_value_heads:
        yield (
            f"{architecture.num_key_value_heads} KV heads are replicated over TP={tp}: more GPUs than KV heads "
            "save weights, not KV cache"
        )
    yield from _lowered_defaults(plan, requested)
    if layout.pipeline_parallel_size > 1 and architecture.has_states:
        yield "pipeline parallelism with linear attention is experimental: vLLM has had runtime errors (#36861)"
    if layout.pipeline_parallel_size > 1 and architecture.confidence == "estimated":
        yield f"pipeline support for {architecture.name} is unknown: check its vLLM class for SupportsPP"
    yield from _more_replicas(plan, layout, requested)


def _lowered_defaults(plan: Plan, requested: ServingOptions) -> Iterator[str]:
    """Yield each default that the plan overrides, with the nodes that the defaults would need."""
    options = plan.options
    default = resolve(
        requested, plan.instance, context_limit_tokens=plan.model.architecture.context_limit(options.version)
    )
    below = lowered(options, default)
    if below:
        kept = replace(
            requested,
            max_num_seqs=default.max_num_seqs,
            max_num_batched_tokens=max(default.max_num_batched_tokens, options.max_num_batched_tokens),
            max_model_len=default.max_model_len,
        )
        unchanged = try_layouts(plan.model, plan.instance, kept)
        if not unchanged.fits:
            cost = f"is refused ({unchanged.refusals[-1].code})"
        elif unchanged.total_nodes > plan.total_nodes:
            cost = f"needs {machines(unchanged)}"
        else:
            cost = "only likely fits"
        sizes = ", ".join(f"{flag} {value} (default {usual})" for flag, (value, usual) in below.items())
        yield f"lowered to fit {machines(plan)}: {sizes}; with the defaults the model {cost}"
    if options.max_num_batched_tokens > default.max_num_batched_tokens:
        yield (
            f"--max-num-batched-tokens is raised to {options.max_num_batched_tokens}: this version refuses vLLM's "
            f"default of {default.max_num_batched_tokens}, which is below one block of linear-attention state"
        )


def _more_replicas(plan: Plan, layout: Layout, requested: ServingOptions) -> Iterator[str]:
    """Yield the smaller TP whose replicas serve the most tokens on the same nodes."""
    if plan.replicas > 1 or layout.pipeline_parallel_size > 1 or plan.throughput is None:
        return
    best, best_rate = None, plan.throughput.tokens_per_second.best * MIN_GAIN
    tp = layout.tensor_parallel_size // 2 or layout.tensor_parallel_size
    while tp:
        replicas = plan.instance.gpus // tp
        smaller = try_layouts(
            plan.model,
            plan.instance,
            replace(requested, tensor_parallel_size=tp, pipeline_parallel_size=1, replicas=replicas),
        )
        total = smaller.throughput.tokens_per_second.best * replicas if smaller.throughput else 0.0
        if smaller.fits and replicas > 1 and total > best_rate:
            best, best_rate = smaller, total
        tp //= 2
    if best and best.layout:
        yield (
            f"TP={best.layout.tensor_parallel_size} with {best.replicas} replicas on the same node could serve more: "
            f"about {best_rate:,.0f} tokens/s instead of {plan.throughput.tokens_per_second.best:,.0f}, "
            f"{best.replicas * best.kv_cache_tokens:,} KV tokens instead of {plan.kv_cache_tokens:,}"
        )


def _about_facts(plan: Plan) -> Iterator[str]:
    model, instance = plan.model, plan.instance
    if instance.gpu_memory_source == "estimate":
        yield f"the {instance.gpu_memory_gib} GiB of the {instance.gpu} are an estimate: no measured value is available"
    if runs_in_32_bits(model.architecture, instance.sm, plan.options.flags):
        yield f"vLLM runs {model.architecture.name} in float32 on the {instance.gpu}: twice the bytes of 16 bits"
    elif instance.sm < 80 and model.architecture.dtype == "bfloat16":
        yield f"the {instance.gpu} does not support bfloat16: vLLM casts the model to float16"
    dtype = kv_cache_dtype(model.architecture, instance.sm, plan.options)
    if dtype != plan.options.kv_cache_dtype:
        yield f"the checkpoint sets the type of the KV cache: {dtype}"
    if model.architecture.confidence == "estimated":
        yield f"{model.architecture.name} is read from the fields of its config.json: every number is an estimate"
    if model.weights_source == "computed":
        yield "weight bytes are computed from the config, not read from the files"
    elif abs(model.weights_scale - 1) > INDEX_TOLERANCE:
        yield (
            f"the index lists {model.weights_scale:.2f} times the bytes that the config implies: "
            "check that both belong to the same model"
        )


def _about_version(model: ModelFacts, options: ResolvedOptions) -> Iterator[str]:
    if options.version < OLDEST_READ:
        yield "vLLM 0.8 and 0.9 use the memory rules of 0.10: an estimate"
    if model.architecture.chunk_tokens and options.version < CHUNKED_ATTENTION_IN_HYBRID:
        yield "vLLM before 0.13 keeps the whole KV cache of chunked layers"
