"""What a reader of a plan that fits should know: what it rests on, and what would serve more for the same money."""

from collections.abc import Iterator
from dataclasses import replace

from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.engine.versions import CHUNKED_ATTENTION_IN_HYBRID
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.layouts import attempt
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_warnings import machines
from vllm_eks.planner.vllm_version import OLDEST_READ

WORTH_TELLING = 1.1
"""How much more a layout must promise before it is named: below this the roofline says nothing."""
INDEX_AGREES = 0.05


def notes_on(plan: Plan, wishes: ServingOptions) -> Iterator[str]:
    """Yield what the user of a plan that fits should know."""
    if plan.layout is None:
        return
    yield from _about_layout(plan, plan.layout, wishes)
    yield from _about_facts(plan)
    yield from _about_version(plan.model, plan.options)


def _about_layout(plan: Plan, layout: Layout, wishes: ServingOptions) -> Iterator[str]:
    architecture, tp = plan.model.architecture, layout.tensor_parallel_size
    if architecture.latent and tp > 1 and plan.options.decode_context_parallel_size == 1:
        yield f"latent attention keeps the whole KV cache on each of {tp} ranks: TP divides weights only"
    elif tp > architecture.num_key_value_heads:
        yield (
            f"{architecture.num_key_value_heads} KV heads are replicated over TP={tp}: more GPUs than KV heads "
            "save weights, not KV cache"
        )
    yield from _lowered_defaults(plan, wishes)
    if layout.pipeline_parallel_size > 1 and architecture.linear:
        yield "pipeline parallel with linear attention is experimental: vLLM has had run-time faults there (#36861)"
    if layout.pipeline_parallel_size > 1 and architecture.is_assumed:
        yield f"whether vLLM splits {architecture.name} over pipeline stages is not known: look for SupportsPP"
    yield from _more_replicas(plan, layout, wishes)


def _lowered_defaults(plan: Plan, wishes: ServingOptions) -> Iterator[str]:
    """Yield which defaults of vLLM are not taken, and what they would cost."""
    options = plan.options
    vllm = resolve(wishes, plan.instance, context_limit_tokens=plan.model.architecture.max_position_embeddings)
    if options.max_num_seqs != vllm.max_num_seqs:
        kept = attempt(plan.model, plan.instance, replace(wishes, max_num_seqs=vllm.max_num_seqs))
        cost = f"takes {machines(kept)}" if kept.fits else f"is refused ({kept.refusals[-1].code})"
        yield (
            f"--max-num-seqs {options.max_num_seqs} is chosen for {machines(plan)}: vLLM's default of "
            f"{vllm.max_num_seqs} {cost}"
        )
    if options.max_num_batched_tokens != vllm.max_num_batched_tokens:
        yield (
            f"--max-num-batched-tokens {options.max_num_batched_tokens} is chosen: vLLM's default of "
            f"{vllm.max_num_batched_tokens} is below one block of linear-attention state, which this version refuses"
        )


def _more_replicas(plan: Plan, layout: Layout, wishes: ServingOptions) -> Iterator[str]:
    """Yield the smaller TP whose replicas serve most on the nodes that are paid anyway."""
    if plan.replicas > 1 or layout.pipeline_parallel_size > 1 or plan.roofline is None:
        return
    best, most = None, plan.roofline.tokens_per_second * WORTH_TELLING
    tp = layout.tensor_parallel_size // 2 or layout.tensor_parallel_size
    while tp:
        replicas = plan.instance.gpus // tp
        smaller = attempt(
            plan.model,
            plan.instance,
            replace(wishes, tensor_parallel_size=tp, pipeline_parallel_size=1, replicas=replicas),
        )
        total = smaller.roofline.tokens_per_second * replicas if smaller.roofline else 0.0
        if smaller.fits and replicas > 1 and total > most:
            best, most = smaller, total
        tp //= 2
    if best and best.layout:
        yield (
            f"TP={best.layout.tensor_parallel_size} with {best.replicas} replicas on the same node could serve more: "
            f"{most:,.0f} tokens/s instead of {plan.roofline.tokens_per_second:,.0f} by the roofline estimate, "
            f"{best.replicas * best.kv_cache_tokens:,} KV tokens instead of {plan.kv_cache_tokens:,}"
        )


def _about_facts(plan: Plan) -> Iterator[str]:
    model, instance = plan.model, plan.instance
    if instance.gpu_memory_source == "estimate":
        yield f"the {instance.gpu_memory_gib} GiB of a {instance.gpu} are an estimate: no log was found"
    if instance.sm < 80 and model.architecture.dtype == "bfloat16":
        yield f"a {instance.gpu} has no bfloat16: vLLM casts the model to float16"
    if model.architecture.is_assumed:
        yield f"{model.architecture.name} is read as a plain dense decoder: every number is an estimate"
    if model.weights_source == "computed":
        yield "weight bytes are computed from the config, not read from the files"
    elif abs(model.weights_scale - 1) > INDEX_AGREES:
        yield (
            f"the index counts {model.weights_scale:.2f} times the bytes that the config explains: "
            "is it the index of this config?"
        )


def _about_version(model: ModelFacts, options: ResolvedOptions) -> Iterator[str]:
    if options.version < OLDEST_READ:
        yield "vLLM 0.8 and 0.9 are accounted as 0.10: an estimate"
    if model.architecture.chunk_tokens and options.version < CHUNKED_ATTENTION_IN_HYBRID:
        yield "before 0.13 vLLM keeps the whole KV cache of chunked layers"
