"""Changes that make a refused plan fit. Each was tried with everything else unchanged, and names every change."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.search.cheapest import cheapest, within_nodes
from vllm_eks.planner.search.defaults import LOWER_BATCHES
from vllm_eks.planner.search.fit import largest_context
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_warnings import machines

SHORTEST_USEFUL_CONTEXT_TOKENS = 1024


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A change that fits."""

    text: str
    """What to change, with the machines of the plan that it gives."""
    instance: InstanceType
    options: ServingOptions
    """The requested options with the change."""


def suggestions_for(refused: Plan, requested: ServingOptions, *, max_nodes: int | None = None) -> Iterator[Suggestion]:
    """Yield changes that fit: a shorter context, a smaller batch, other parallel sizes, more nodes, another type.

    Args:
        refused: The plan that does not fit.
        requested: The requested options.
        max_nodes: The maximum number of nodes of all replicas, or None for no limit.
    """
    codes = {refusal.code for refusal in refused.refusals}
    yield from _shorter_context(refused, requested, max_nodes)
    if codes & {"kv_cache_too_small", "weights_do_not_fit", "engine_refuses"}:
        yield from _smaller_batch(refused, requested, max_nodes)
    yield from _other_sizes(refused, requested, max_nodes)
    yield from _other_type(refused, requested, max_nodes)


def _tried(refused: Plan, changed: ServingOptions, max_nodes: int | None) -> Plan | None:
    """Return the plan with changed options on the same type, or None when it is refused too."""
    found = within_nodes(try_layouts(refused.model, refused.instance, changed), max_nodes)
    return found if found.fits else None


def _shorter_context(refused: Plan, requested: ServingOptions, max_nodes: int | None) -> Iterator[Suggestion]:
    """Yield the longest context that fits with everything else unchanged: within the model's limit, and in memory."""
    limit = min(_wished_context(refused, requested), refused.model.architecture.context_limit(refused.options.version))
    within = within_nodes(
        try_layouts(refused.model, refused.instance, replace(requested, max_model_len=limit)), max_nodes
    )
    longest = limit if within.fits else 0
    if not within.fits and within.layout:
        # The low estimate leaves room for the block tables, which grow with the context.
        longest = largest_context(within.layout, within.options, limit_tokens=limit)
    shorter = replace(requested, max_model_len=max(1, longest))
    useful = min(SHORTEST_USEFUL_CONTEXT_TOKENS, limit) <= longest < _wished_context(refused, requested)
    found = _tried(refused, shorter, max_nodes) if useful else None
    if found:
        yield Suggestion(
            text=f"--max-model-len {longest} fits {machines(found)}", instance=refused.instance, options=shorter
        )


def _wished_context(refused: Plan, requested: ServingOptions) -> int:
    return requested.max_model_len or refused.options.max_model_len


def _smaller_batch(refused: Plan, requested: ServingOptions, max_nodes: int | None) -> Iterator[Suggestion]:
    """Yield the largest smaller batch that fits alone, for each of its two sizes that was requested."""
    seqs, tokens = requested.max_num_seqs, requested.max_num_batched_tokens
    if seqs:
        smaller = [
            replace(requested, max_num_seqs=value) for value in _below(seqs, (seqs for seqs, _ in LOWER_BATCHES))
        ]
        yield from _first_that_fits(refused, max_nodes, smaller, lambda one: f"--max-num-seqs {one.max_num_seqs}", seqs)
    if tokens:
        values = _below(tokens, (tokens for _, tokens in LOWER_BATCHES), least=seqs or 1)
        smaller = [replace(requested, max_num_batched_tokens=value) for value in values]
        flag = "--max-num-batched-tokens"
        yield from _first_that_fits(
            refused, max_nodes, smaller, lambda one: f"{flag} {one.max_num_batched_tokens}", tokens
        )


def _below(before: int, values: Iterable[int], *, least: int = 1) -> list[int]:
    return [value for value in dict.fromkeys(values) if least <= value < before]


def _first_that_fits(
    refused: Plan,
    max_nodes: int | None,
    options: Iterable[ServingOptions],
    flag: Callable[[ServingOptions], str],
    before: int,
) -> Iterator[Suggestion]:
    for smaller in options:
        found = _tried(refused, smaller, max_nodes)
        if found:
            text = f"{flag(smaller)} (instead of {before}) fits {machines(found)}"
            yield Suggestion(text=text, instance=refused.instance, options=smaller)
            return


def _other_sizes(refused: Plan, requested: ServingOptions, max_nodes: int | None) -> Iterator[Suggestion]:
    """Yield other parallel sizes on the same type: another number of stages if that is enough, else both sizes."""
    tp, pp = requested.tensor_parallel_size, requested.pipeline_parallel_size
    stages = _tried(refused, replace(requested, pipeline_parallel_size=None), max_nodes) if pp else None
    if stages and stages.layout:
        changed = replace(requested, pipeline_parallel_size=stages.layout.pipeline_parallel_size)
        text = f"--pipeline-parallel-size {changed.pipeline_parallel_size}: {machines(stages)}"
        if _tried(refused, changed, max_nodes):
            yield Suggestion(text=text, instance=refused.instance, options=changed)
            return
    both = _tried(refused, _free_sizes(requested), max_nodes) if tp else None
    if both and both.layout:
        changed = _with_sizes(requested, both.layout)
        if _tried(refused, changed, max_nodes):
            text = f"{both.layout.label} on {machines(both)}"
            yield Suggestion(text=text, instance=refused.instance, options=changed)


def _free_sizes(options: ServingOptions) -> ServingOptions:
    return replace(options, tensor_parallel_size=None, pipeline_parallel_size=None)


def _with_sizes(options: ServingOptions, layout: Layout) -> ServingOptions:
    return replace(
        options,
        tensor_parallel_size=layout.tensor_parallel_size,
        pipeline_parallel_size=layout.pipeline_parallel_size,
    )


def _other_type(refused: Plan, requested: ServingOptions, max_nodes: int | None) -> Iterator[Suggestion]:
    """Yield the cheapest type that fits, with the parallel sizes it needs, and with a legal context if it must change.

    The text names the parallel sizes, and the context where it changes.
    """
    limit = refused.model.architecture.context_limit(refused.options.version)
    too_long = requested.max_model_len is not None and requested.max_model_len > limit
    wished = _free_sizes(replace(requested, max_model_len=limit) if too_long else requested)
    found = cheapest(refused.model, wished, refused.instance.price_region, max_nodes=max_nodes)
    if found is None or found.layout is None:
        return
    exact = _with_sizes(wished, found.layout)
    if try_layouts(refused.model, found.instance, exact).fits:
        context = f", with --max-model-len {limit}" if too_long else ""
        text = f"the cheapest that fits: {found.layout.label} on {machines(found)}{context}"
        yield Suggestion(text=text, instance=found.instance, options=exact)
