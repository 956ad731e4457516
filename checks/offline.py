"""The checks that need no account, and by name those that do: they stay unknown until somebody asks AWS."""

from collections import Counter
from collections.abc import Iterator, Mapping

from checks.result import Check
from planner.plan import Plan
from planner.report import refusal_lines


def run_checks(
    plans: Mapping[str, Plan], *, zones: Mapping[str, str], region: str, open_questions: tuple[str, ...] = ()
) -> tuple[Check, ...]:
    """Return every check of the stack, in the order people read them.

    Args:
        plans: The plan of each model, by its name in the stack file.
        zones: The zone of each model.
        region: The stack's region.
        open_questions: What the stack file leaves open for an offline preview.
    """
    return (
        *(plan_check(name, plan) for name, plan in plans.items()),
        *(Check(subject="stack file", status="unknown", text=question) for question in open_questions),
        *_offerings(plans, zones, region),
        *_quotas(plans, region),
    )


def plan_check(name: str, plan: Plan) -> Check:
    """Return whether a model fits, with its room, or every layout tried and what would work instead."""
    if plan.fits and plan.layout:
        text = (
            f"{plan.layout.label} on {plan.total_nodes} x {plan.instance.type}, "
            f"{plan.kv_cache_tokens:,} tokens of KV cache a replica"
        )
        return Check(subject=f"{name} fits", status="passed", text=text)
    lines = "".join(f"\n    {line}" for line in refusal_lines(plan))
    text = f"{plan.model.id} does not fit {plan.instance.type}:{lines}"
    return Check(subject=f"models.{name}", status="failed", text=text)


def _offerings(plans: Mapping[str, Plan], zones: Mapping[str, str], region: str) -> Iterator[Check]:
    for instance_type, zone in sorted({(plan.instance.type, zones[name]) for name, plan in plans.items()}):
        yield Check(
            subject=f"{instance_type} is offered in {zone}",
            status="unknown",
            text="not asked of the account: aws ec2 describe-instance-type-offerings --location-type availability-zone "
            f"--filters Name=instance-type,Values={instance_type} --region {region}",
        )


def _quotas(plans: Mapping[str, Plan], region: str) -> Iterator[Check]:
    needed: Counter[tuple[str, str]] = Counter()
    for plan in plans.values():
        instance = plan.instance
        if instance.quota_code and instance.quota_name and instance.vcpus:
            needed[instance.quota_code, instance.quota_name] += plan.total_nodes * instance.vcpus
    for (code, name), vcpus in sorted(needed.items()):
        yield Check(
            subject=f"quota {name} holds {vcpus} vCPUs",
            status="unknown",
            text="not asked of the account: aws service-quotas get-service-quota --service-code ec2 "
            f"--quota-code {code} --region {region}",
        )
