"""What a reader of a plan that fits should know: what it rests on, and what would serve more for the same money."""

from collections.abc import Iterator
from dataclasses import replace

from planner.models import ModelFacts
from planner.options import ResolvedOptions, ServingOptions
from planner.plan import Plan, attempt
from planner.plan_warnings import machines
from planner.stages import Layout
from planner.versions import CHUNKED_ATTENTION_IN_HYBRID, OLDEST_READ

SMALLER_BATCHES = (128, 64, 32, 16)
WORTH_TELLING = 1.1
"""How much more a layout must promise before it is named: below this the bound says nothing."""
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
    if layout.pipeline_parallel_size > 1 and wishes.pipeline_parallel_size is None:
        smaller = smaller_batch(plan, replace(wishes, pipeline_parallel_size=layout.pipeline_parallel_size - 1))
        if smaller:
            yield smaller
    if layout.pipeline_parallel_size > 1 and architecture.linear:
        yield "pipeline parallel with linear attention is experimental: vLLM has had run-time faults there (#36861)"
    if layout.pipeline_parallel_size > 1 and architecture.is_assumed:
        yield f"whether vLLM splits {architecture.name} over pipeline stages is not known: look for SupportsPP"
    yield from _more_replicas(plan, layout, wishes)


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
            f"at most {most:,.0f} tokens/s instead of {plan.roofline.tokens_per_second:,.0f}, "
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


def smaller_batch(plan: Plan, wishes: ServingOptions) -> str | None:
    """Return the largest smaller --max-num-seqs that fits the wished number of nodes, as a sentence."""
    for seqs in SMALLER_BATCHES:
        if seqs >= plan.options.max_num_seqs:
            continue
        smaller = attempt(plan.model, plan.instance, replace(wishes, max_num_seqs=seqs))
        if smaller.fits and smaller.nodes_per_replica <= max(1, wishes.pipeline_parallel_size or 1):
            return f"--max-num-seqs {seqs} (instead of {plan.options.max_num_seqs}) fits {machines(smaller)}"
    return None
