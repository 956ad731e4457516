"""Checks without an AWS account: whether each model fits, and the risks of its capacity type."""

import re
from collections.abc import Iterator, Mapping

from vllm_eks.check import Check
from vllm_eks.planner.engine.flag_dispositions import dispositions
from vllm_eks.planner.search.fleet import shared_node_warnings
from vllm_eks.planner.search.gpu_nodes import SPOT, GpuNodes
from vllm_eks.planner.search.refusal_lines import refusal_lines
from vllm_eks.planner.search.stated import NOT_PLANNED

FLAG = re.compile(r"--[a-z]+(?:-[a-z]+)*")
FLAG_WITH_NUMBER = re.compile(rf"({FLAG.pattern}) (\d+)")


def plan_check(name: str, nodes: GpuNodes) -> Check:
    """Return the check that a model fits, with its KV cache, or with the layouts tried and suggestions.

    What makes it only likely is a warning of its own.
    """
    plan = nodes.plan
    parked = "; parked, so no node runs" if nodes.parked else ""
    if plan.fits and plan.stated:
        sizes = f"{plan.stated.label} on {plan.total_nodes} x {plan.instance.type}, as stated{parked}"
        return Check(subject=f"models.{name}.planned", status="warning", text=f"{NOT_PLANNED}: {sizes}")
    if plan.fits and plan.layout:
        text = (
            f"{plan.layout.label} on {plan.total_nodes} x {plan.instance.type}, "
            f"{plan.kv_cache_tokens:,} tokens of KV cache per replica{parked}"
        )
        verdict = "fits" if plan.verdict == "fits" else "likely fits"
        return Check(subject=f"{name} {verdict}", status="passed", text=text)
    lines = "".join(f"\n    {in_stack_file_words(line)}" for line in refusal_lines(plan))
    text = f"{plan.model.id} does not fit {plan.instance.type}:{lines}"
    return Check(subject=f"models.{name}", status="failed", text=text)


def in_stack_file_words(line: str) -> str:
    """Return a line of the planner with vLLM's flags replaced by keys of the stack file.

    >>> in_stack_file_words("would work: --max-model-len 4096 fits this layout")
    'would work: maxModelLen: 4096 fits this layout'
    >>> in_stack_file_words("--speculative-config: use another method")
    '--speculative-config: use another method'
    """
    with_values = FLAG_WITH_NUMBER.sub(lambda m: f"{_key(m[1])}: {m[2]}" if m[1] in _keys() else m[0], line)
    return FLAG.sub(lambda m: _key(m[0]), with_values)


def _keys() -> Mapping[str, str]:
    return dispositions().keys


def _key(flag: str) -> str:
    """Return the key for a flag, or the flag itself if it has none: then it is in extraArgs."""
    return _keys().get(flag, flag)


def plan_warnings(name: str, nodes: GpuNodes) -> Iterator[Check]:
    """Yield a warning for each doubt about the plan, and for each cost that the stack file does not ask for."""
    # Of stated sizes there is one warning, which `plan_check` gives.
    for text in () if nodes.plan.stated else nodes.plan.warnings:
        yield Check(subject=f"models.{name}", status="warning", text=in_stack_file_words(text))


def fleet_warnings(fleet: Mapping[str, GpuNodes]) -> Iterator[Check]:
    """Yield a warning for models whose separate nodes cost more than shared ones."""
    for names, text in shared_node_warnings(fleet):
        yield Check(subject=", ".join(f"models.{name}" for name in names), status="warning", text=text)


def capacity_warnings(name: str, nodes: GpuNodes) -> Iterator[Check]:
    """Yield a warning for each risk of a model's capacity type."""
    stages = nodes.plan.nodes_per_replica
    if nodes.capacity_type == SPOT:
        # Each pipeline stage holds layers that no other node has.
        risk = f"any of a replica's {stages} nodes" if stages > 1 else "its node"
        yield Check(
            subject=f"models.{name}.capacityType",
            status="warning",
            text=f"spot: EC2 may reclaim {risk} with two minutes' notice, and the whole replica starts again "
            f"(up to {nodes.plan.startup.budget_seconds} s)",
        )
    if stages > 1 and nodes.stands_anywhere:
        yield Check(
            subject=f"models.{name}.placementGroup",
            status="warning",
            text=f"none, because the reservation has none: the {stages} nodes of a replica may be far apart, and every "
            "token crosses between them",
        )
