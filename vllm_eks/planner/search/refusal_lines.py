"""The text of a refusal, shared by the command line and `pulumi preview`."""

from vllm_eks.planner.search.plan import Plan

MAX_LISTED = 4
"""Layouts refused for the same reason that are listed one by one."""


def refusal_lines(plan: Plan) -> list[str]:
    """Return one line per layout tried, or the first and last of many similar ones, then one line per suggestion."""
    tried = [f"{refusal.code}: {refusal.message}" for refusal in plan.refusals]
    if len(tried) > MAX_LISTED and len({refusal.code for refusal in plan.refusals}) == 1:
        # When all have the same cause, the first and the last say enough.
        tried = [tried[0], f"... and {len(tried) - 2} layouts in between, refused for the same reason", tried[-1]]
    return tried + [f"would work: {suggestion}" for suggestion in plan.suggestions]
