"""The words of a refusal, the same on the command line and in `pulumi preview`."""

from planner.plan import Plan


def refusal_lines(plan: Plan) -> list[str]:
    """Return one line a layout tried, then one line a remedy."""
    tried = [f"{refusal.code}: {refusal.message}" for refusal in plan.refusals]
    return tried + [f"would work: {suggestion}" for suggestion in plan.suggestions]
