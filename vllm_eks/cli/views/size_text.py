"""Sentences about an answer of `vllm-eks size`, for the screen and for errors."""

from collections.abc import Iterator
from math import inf

from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.load.service_level import NAMES, duration
from vllm_eks.planner.load.traffic import Traffic, load_label, significant
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.replica import Pressed
from vllm_eks.planner.sizing.sized import LoadLimit, SizedPlan

PRESSED: dict[Pressed, str] = {
    "kv": "KV cache",
    "seqs": "maxNumSeqs",
    "bandwidth": "bandwidth",
    "flops": "flops",
    "link": "link",
    "overhead": "overhead",
}


def limit_text(limit: LoadLimit) -> str:
    """Return what keeps a replica from a larger load."""
    return f"{limit.broken} ({PRESSED[limit.pressed]})" if limit.broken else PRESSED[limit.pressed]


def traffic_text(traffic: Traffic) -> str:
    """Return the traffic in one line."""
    parts = [traffic.load_label]
    if traffic.think_seconds:
        parts.append(f"{duration(traffic.think_seconds)} of thinking between requests")
    read, written = traffic.lengths.input, traffic.lengths.output
    about = "about " if read.varies or written.varies else ""
    parts.append(f"{about}{read.tokens:,.0f} input and {written.tokens:,.0f} output tokens")
    if traffic.shared_prefix_tokens:
        parts.append(f"{traffic.shared_prefix_tokens:,} of the input shared")
    return ", ".join(parts)


def machines_text(row: SizedPlan) -> str:
    """Return the machines and how replicas use them."""
    plan = row.plan
    price = "price unknown" if plan.usd_per_hour is None else f"${plan.usd_per_hour:,.2f}/h"
    elsewhere = plan.total_nodes * plan.instance.ranking_usd_per_hour
    if plan.usd_per_hour is None and elsewhere < inf:
        price = f"price unknown, ${elsewhere:,.2f}/h in {REFERENCE_REGION}"
    sizes = plan.sizes.label if plan.sizes else ""
    replicas = "1 replica" if plan.replicas == 1 else f"{plan.replicas} replicas"
    return f"{plan.total_nodes} x {plan.instance.type} ({price}), {sizes}, {replicas}"


def no_machine_lines(answer: SizeAnswer) -> Iterator[str]:
    """Yield why no machine meets the service level, and the nearest one that a machine does meet."""
    question = answer.question
    if not answer.fits_anywhere:
        of = f" of family {question.family}" if question.family else ""
        yield f"{question.model.id} fits no instance type{of}: vllm-eks plan {question.model.id} shows the reasons"
        return
    asked = traffic_text(question.traffic)
    level = f" within {question.level.label}" if question.level.limits else ""
    more = answer.too_many_nodes
    if more:
        limit = f"--max-nodes is {question.max_nodes}" if question.max_nodes else "a node group has at most 450"
        yield (
            f"no machines serve {asked}{level}: at least {more.nodes:,} x {more.candidate.plan.instance.type} are "
            f"needed, and {limit}"
        )
    else:
        yield f"no machine serves {asked}{level}, with any number of replicas"
    if answer.rows and question.level.limits:
        changed = [
            f"{NAMES[name]} {limit.label}"
            for name, limit in answer.level.limits.items()
            if limit != question.level.limits[name]
        ]
        yield f"nearest service level: {', '.join(changed)} on {machines_text(answer.rows[0])}"


def most_text(row: SizedPlan) -> str:
    """Return the largest load of the machines with its range."""
    spread = row.replica.speed.evidence.spread.output
    best, is_open = row.total_largest_load, row.replica.traffic.is_open
    low, high = best * spread.low, best * spread.high
    return f"{load_label(best, is_open=is_open)} ({significant(low, 3)} to {significant(high, 3)})"
