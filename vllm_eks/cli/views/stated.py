"""The head of a plan with stated sizes: what is known without its memory."""

from vllm_eks.planner.search.plan import Plan, StatedSizes


def stated_lines(plan: Plan, sizes: StatedSizes, price: str) -> list[str]:
    """Return the lines: split, context, start and price."""
    return [
        f"{plan.model.id} on {plan.total_nodes} x {plan.instance.type}: not planned, memory unknown",
        f"  layout       {sizes.label}, as stated",
        f"  context      {plan.options.max_model_len:,} tokens, as stated",
        f"  start        {plan.startup.budget_seconds:,} s budget from scheduled pod to first token",
        f"  price        {price}",
    ]
