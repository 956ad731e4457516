"""The checks that need no account, and by name those that do: they stay unknown until somebody asks AWS."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from checks.result import Check
from planner.plan import Plan
from planner.report import refusal_lines

REFUSED_ZONE_IDS = {"us-east-1": "use1-az3", "us-west-1": "usw1-az2", "ca-central-1": "cac1-az3"}
"""EKS user guide, network requirements: zones that take no subnet of a control plane."""


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
        *_zones_of_the_control_plane(region),
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
    lines = "".join(f"\n    {in_stack_file_words(line)}" for line in refusal_lines(plan))
    text = f"{plan.model.id} does not fit {plan.instance.type}:{lines}"
    return Check(subject=f"models.{name}", status="failed", text=text)


def in_stack_file_words(line: str) -> str:
    """Return a planner's line with vLLM's flags as keys of the stack file.

    >>> in_stack_file_words("would work: --max-model-len 4096 fits this layout")
    'would work: maxModelLen: 4096 fits this layout'
    """
    with_values = re.sub(r"--([a-z]+(?:-[a-z]+)*) (\d+)", lambda m: f"{_camel(m[1])}: {m[2]}", line)
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda m: _camel(m[1]), with_values)


def _camel(flag: str) -> str:
    first, *rest = flag.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _zones_of_the_control_plane(region: str) -> Iterator[Check]:
    if region in REFUSED_ZONE_IDS:
        yield Check(
            subject=f"no zone of the network is {REFUSED_ZONE_IDS[region]}, which EKS refuses",
            status="unknown",
            text="which letter that is differs by account: aws ec2 describe-availability-zones "
            f"--zone-ids {REFUSED_ZONE_IDS[region]} --region {region}",
        )


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
