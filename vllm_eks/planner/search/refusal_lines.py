"""The words of a refusal, the same on the command line and in `pulumi preview`."""

from vllm_eks.planner.search.plan import Plan

MOST_TOLD = 4
"""Layouts refused for the same reason that are told one by one."""


def refusal_lines(plan: Plan) -> list[str]:
    """Return one line a layout tried, or the first and the last of many alike, then one line a remedy."""
    tried = [f"{refusal.code}: {refusal.message}" for refusal in plan.refusals]
    if len(tried) > MOST_TOLD and len({refusal.code for refusal in plan.refusals}) == 1:
        # One cause is one cause: the first sum and the last say what all of them do.
        tried = [tried[0], f"... and {len(tried) - 2} layouts between, each refused alike", tried[-1]]
    return tried + [f"would work: {suggestion}" for suggestion in plan.suggestions]
