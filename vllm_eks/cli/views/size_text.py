"""Sentences about an answer of `vllm-eks size`, for the screen and for errors."""

from collections.abc import Iterator
from math import inf

from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.hardware.prices import price_dates
from vllm_eks.planner.load.numbers import significant
from vllm_eks.planner.load.service_level import NAMES, ServiceLevel, duration
from vllm_eks.planner.load.traffic import Traffic, load_label
from vllm_eks.planner.search.layouts import MAX_NODES_PER_GROUP
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.pressed import PRESSED
from vllm_eks.planner.sizing.replica import MEASURED
from vllm_eks.planner.sizing.sized import LoadLimit, SizedPlan

LETTERS = "abcdef"
"""Of the machines, in tables and in the plot."""
FEW_ABOVE = 95
"""From this percentile on, at most 20 of the measured requests are above."""


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


def machines_text(row: SizedPlan, *, spot: bool = False) -> str:
    """Return the machines and how replicas use them. The price is on demand, which is said where spot is wanted."""
    plan = row.plan
    price = "price unknown" if plan.usd_per_hour is None else f"${plan.usd_per_hour:,.2f}/h"
    kind = " on demand" if spot and plan.usd_per_hour is not None else ""
    sizes = plan.sizes.label if plan.sizes else ""
    replicas = "1 replica" if plan.replicas == 1 else f"{plan.replicas:,} replicas"
    return f"{plan.total_nodes:,} x {plan.instance.type} ({price}{kind}), {sizes}, {replicas}"


def verdict_text(answer: SizeAnswer, *, spot: bool) -> str:
    """Return the answer in one line."""
    if answer.is_met:
        return f"recommended: {machines_text(answer.rows[0], spot=spot)}"
    return f"{_why_not(answer)}; nearest: {changed_text(answer)}"


def changed_text(answer: SizeAnswer) -> str:
    """Return the limits of the nearest service level that are not those asked for."""
    asked = answer.question.level.limits
    changed = (f"{NAMES[name]} {limit.label}" for name, limit in answer.level.limits.items() if limit != asked[name])
    return ", ".join(changed) or "the same level without the headroom"


def _why_not(answer: SizeAnswer) -> str:
    level = answer.question.level.label
    more = answer.too_many_nodes
    return f"{level} needs more nodes than allowed" if more else f"no machine meets {level}"


def no_machine_lines(answer: SizeAnswer) -> Iterator[str]:
    """Yield why no machine meets the service level, and what machines do: a nearer level, or a smaller load."""
    question = answer.question
    if not answer.fits_anywhere:
        of = f" of family {question.family}" if question.family else ""
        yield f"{question.model.id} fits no instance type{of}: vllm-eks plan {question.model.id} shows the reasons"
        return
    asked = traffic_text(question.traffic)
    level = f" within {question.level.label}" if question.level.limits else ""
    reserve = f" with {question.headroom:.0%} headroom" if question.headroom else ""
    more = answer.too_many_nodes
    if more:
        yield (
            f"no machines serve {asked}{level}{reserve}: at least {more.nodes:,} x "
            f"{more.candidate.plan.instance.type} are needed, and {_allowed(answer)}"
        )
    else:
        yield f"no machine serves {asked}{level}{reserve}, with any number of replicas"
    if answer.rows:
        yield f"nearest service level: {changed_text(answer)} on {machines_text(answer.rows[0])}"
    if answer.largest:
        yield _largest_text(answer)
    elif not answer.rows and more:
        yield f"one replica needs {more.candidate.plan.nodes_per_replica} nodes"


def _allowed(answer: SizeAnswer) -> str:
    most = answer.question.max_nodes
    return f"--max-nodes is {most:,}" if most else f"a node group has at most {MAX_NODES_PER_GROUP}"


def _largest_text(answer: SizeAnswer) -> str:
    largest = answer.largest
    if largest is None:
        return ""
    asked = answer.question.level
    within = f" within {asked.label}" if largest.level.limits else ""
    unlimited = f", without {asked.label}" if asked.limits and not largest.level.limits else ""
    return (
        f"largest load on the allowed nodes{within}: {most_text(largest.row)} on "
        f"{machines_text(largest.row)}{unlimited}"
    )


def most_text(row: SizedPlan) -> str:
    """Return the largest load of the machines with its range."""
    return f"{load_label(row.total_largest_load, is_open=row.replica.traffic.is_open)} ({range_text(row)})"


def range_text(row: SizedPlan) -> str:
    """Return the range of the largest load."""
    spread, best = row.replica.speed.evidence.spread.output, row.total_largest_load
    return f"{significant(best * spread.low, 3)} to {significant(best * spread.high, 3)}"


def replay_text(level: ServiceLevel) -> str:
    """Return what percentiles rest on. A high one of requests rests on few of them. Tokens are many more."""
    text = "percentiles are from a replay of vLLM's scheduler"
    asked = [limit.percentile for name, limit in level.limits.items() if name != "itl"]
    highest = max(asked, default=0)
    if highest < FEW_ABOVE:
        return text
    above = MEASURED * (100 - highest) // 100
    return f"{text}; {above} of its {MEASURED} requests are above p{highest}, which therefore varies by chance"


def price_lines(answer: SizeAnswer, *, spot: bool) -> Iterator[str]:
    """Yield what the prices are, and those of the reference region where the region's own are unknown."""
    region, rows = answer.question.region, answer.rows
    unknown = [(letter, row) for letter, row in zip(LETTERS, rows, strict=False) if row.plan.usd_per_hour is None]
    if len(unknown) < len(rows):
        less = "; spot capacity costs less, and its price varies" if spot else ""
        yield f"USD: {region}, on demand, Linux, list prices of {price_dates()[region]}{less}"
    if unknown:
        there = ((letter, reference_usd_per_hour(row)) for letter, row in unknown)
        listed = ", ".join(f"{letter} {usd:,.2f}" for letter, usd in there if usd is not None)
        ranked = f"; ranked by USD/h in {REFERENCE_REGION}: {listed}" if listed else ""
        yield f"USD: unknown in {region}{ranked}; vllm-eks catalog refresh --region {region} asks AWS"


def reference_usd_per_hour(row: SizedPlan) -> float | None:
    """Return the price of the machines in the reference region, or None if it is unknown there too."""
    usd = row.plan.total_nodes * row.plan.instance.ranking_usd_per_hour
    return usd if usd < inf else None
