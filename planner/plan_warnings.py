"""What a plan that fits costs beyond what the user named, each as one sentence with the prices."""

from collections.abc import Iterator
from dataclasses import replace

from planner.options import ServingOptions
from planner.plan import Plan, attempt
from planner.stages import Layout


def warnings_on(plan: Plan, wishes: ServingOptions) -> Iterator[str]:
    """Yield what the user of a plan that fits pays without having asked for it."""
    if plan.layout is None:
        return
    if plan.idle_gpus:
        yield _idle_gpus(plan, plan.layout)
        yield from _expert_parallel(plan, plan.layout, wishes)
    if plan.layout.pipeline_parallel_size > 1 and wishes.pipeline_parallel_size is None:
        yield from _added_nodes(plan, plan.layout, wishes)


def machines(plan: Plan) -> str:
    """Return the nodes of a plan and their price."""
    price = "price unknown" if plan.usd_per_hour is None else f"${plan.usd_per_hour:.2f}/h"
    return f"{plan.total_nodes} x {plan.instance.type} ({price})"


def _idle_gpus(plan: Plan, layout: Layout) -> str:
    idle = f"{plan.idle_gpus} of {plan.total_nodes * plan.instance.gpus} GPUs of {machines(plan)} stay idle"
    places = plan.total_nodes * (plan.instance.gpus // layout.tensor_parallel_size)
    if layout.pipeline_parallel_size == 1 and places > plan.replicas:
        return f"{idle}: {places} replicas cost no more"
    return idle


def _expert_parallel(plan: Plan, layout: Layout, wishes: ServingOptions) -> Iterator[str]:
    """Yield the layout that experts kept whole allow, where splitting them leaves GPUs without work."""
    if not plan.model.architecture.experts or wishes.enable_expert_parallel or wishes.tensor_parallel_size:
        return
    whole = attempt(plan.model, plan.instance, replace(wishes, enable_expert_parallel=True))
    if whole.fits and whole.layout and whole.layout.tensor_parallel_size > layout.tensor_parallel_size:
        yield (
            f"--enable-expert-parallel keeps experts whole, which allows {whole.layout.label} on {machines(whole)} "
            f"instead of {layout.label} on {machines(plan)}"
        )


def _added_nodes(plan: Plan, layout: Layout, wishes: ServingOptions) -> Iterator[str]:
    """Yield that one instance does not hold a replica, with the price of one a replica and of what is planned."""
    one = replace(plan, layout=replace(layout, pipeline_parallel_size=1, stages=layout.stages[:1]))
    fewer = attempt(plan.model, plan.instance, replace(wishes, pipeline_parallel_size=1))
    code = f" ({fewer.refusals[-1].code})" if fewer.refusals else ""
    yield (
        f"one {plan.instance.type} does not hold a replica{code}: {layout.label} takes {machines(plan)} instead of "
        f"{machines(one)}; name pipelineParallelSize {layout.pipeline_parallel_size} if that is what you want"
    )
