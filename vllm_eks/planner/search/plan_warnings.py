"""Warnings about a plan that fits: why it only likely fits, and costs that the user did not ask for."""

from collections.abc import Iterator
from dataclasses import replace

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.hardware.prices import partition
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.search.defaults import LOWER_BATCHES
from vllm_eks.planner.search.fit import largest_context
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan


def warnings_on(plan: Plan, requested: ServingOptions) -> Iterator[str]:
    """Yield a warning for each doubt about the plan, and for each cost that the user did not ask for."""
    if plan.layout is None:
        return
    yield from _doubts(plan, plan.layout)
    adds_nodes = plan.nodes_per_replica > 1 and requested.pipeline_parallel_size is None
    if plan.idle_gpus:
        yield _idle_gpus(plan)
    if plan.idle_gpus or adds_nodes:
        yield from _expert_parallel(plan, plan.layout, requested)
    if adds_nodes:
        yield _added_nodes(plan, plan.layout, requested)


def _doubts(plan: Plan, layout: Layout) -> Iterator[str]:
    """Yield why the plan only likely fits, with the context that surely fits if the KV cache is uncertain."""
    for doubt in plan.doubts:
        longest = largest_context(layout, plan.options, limit_tokens=plan.options.max_model_len)
        is_shorter = 0 < longest < plan.options.max_model_len
        sure = f"; --max-model-len {longest} surely fits" if is_shorter else ""
        yield f"likely fits, not surely: {doubt.code}: {doubt.message}{sure}"


def machines(plan: Plan) -> str:
    """Return the nodes of a plan and their price, or the reference region's price when theirs is unknown."""
    price = f"${plan.usd_per_hour:.2f}/h" if plan.usd_per_hour is not None else _unknown(plan)
    return f"{plan.total_nodes} x {plan.instance.type} ({price})"


def _unknown(plan: Plan) -> str:
    region, reference = plan.instance.price_region, plan.instance.usd_per_hour_by_region.get(REFERENCE_REGION)
    if region is None:
        return "price unknown"
    if reference is None or region == REFERENCE_REGION or partition(region):
        return f"price unknown in {region}"
    return f"price unknown in {region}, ${plan.total_nodes * reference:.2f}/h in {REFERENCE_REGION}"


def _idle_gpus(plan: Plan) -> str:
    idle = f"{plan.idle_gpus} of {plan.total_nodes * plan.instance.gpus} GPUs of {machines(plan)} stay idle"
    places = plan.total_nodes * plan.replicas_per_node
    if plan.nodes_per_replica == 1 and places > plan.replicas:
        return f"{idle}: {places} replicas cost no more"
    return idle


def _expert_parallel(plan: Plan, layout: Layout, requested: ServingOptions) -> Iterator[str]:
    """Yield the layout with expert parallelism, if it uses more GPUs of a node or fewer nodes."""
    if not plan.model.architecture.experts or requested.enable_expert_parallel or requested.tensor_parallel_size:
        return
    whole = try_layouts(plan.model, plan.instance, replace(requested, enable_expert_parallel=True))
    if not whole.fits or whole.layout is None:
        return
    larger = whole.layout.tensor_parallel_size > layout.tensor_parallel_size
    if whole.total_nodes < plan.total_nodes or (larger and whole.total_nodes == plan.total_nodes):
        yield (
            f"--enable-expert-parallel keeps each expert on one GPU, which allows {whole.layout.label} on "
            f"{machines(whole)} instead of {layout.label} on {machines(plan)}"
        )


def _added_nodes(plan: Plan, layout: Layout, requested: ServingOptions) -> str:
    """Return a warning that a replica needs several instances, with the price of one instance and of the plan."""
    one = replace(plan, layout=replace(layout, pipeline_parallel_size=1, stages=layout.stages[:1]))
    fewer = try_layouts(plan.model, plan.instance, replace(requested, pipeline_parallel_size=1))
    code = f" ({fewer.refusals[-1].code})" if fewer.refusals else ""
    smaller = smaller_batch(plan, replace(requested, pipeline_parallel_size=layout.pipeline_parallel_size - 1))
    return (
        f"one {plan.instance.type} does not hold a replica{code}: {layout.label} needs {machines(plan)} instead of "
        f"{machines(one)}; " + (f"{smaller}; " if smaller else "") + "to accept this without a warning, set "
        f"--pipeline-parallel-size {layout.pipeline_parallel_size}"
    )


def smaller_batch(plan: Plan, requested: ServingOptions) -> str | None:
    """Return a suggestion with the largest smaller --max-num-seqs that fits the requested nodes, or None.

    None when the user set no --max-num-seqs: the search already lowers the default.
    """
    if requested.max_num_seqs is None:
        return None
    for seqs in dict.fromkeys(seqs for seqs, _ in LOWER_BATCHES):
        if seqs >= plan.options.max_num_seqs:
            continue
        smaller = try_layouts(plan.model, plan.instance, replace(requested, max_num_seqs=seqs))
        if smaller.fits and smaller.nodes_per_replica <= max(1, requested.pipeline_parallel_size or 1):
            return f"--max-num-seqs {seqs} (instead of {plan.options.max_num_seqs}) fits {machines(smaller)}"
    return None
