"""Warnings about a stated load: what its requests would see on the planned machines."""

from collections.abc import Iterator
from dataclasses import replace

from vllm_eks.planner.load.service_level import NAMES, ServiceLevel, duration_in_words
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.sizing.replica import LOAD, Replica
from vllm_eks.planner.speed.model import SpeedModel


def with_load_warnings(plan: Plan, traffic: Traffic, level: ServiceLevel) -> Plan:
    """Return the plan with a warning for each limit that it does not keep at this load."""
    return replace(plan, warnings=(*plan.warnings, *load_warnings(plan, traffic, level)))


def load_warnings(plan: Plan, traffic: Traffic, level: ServiceLevel) -> Iterator[str]:
    """Yield a sentence for each limit that the machines of a plan do not keep at this load.

    Nothing is said about a plan that does not fit.
    """
    if not plan.fits or plan.layout is None:
        return
    longest = traffic.lengths.longest_request
    if longest > plan.options.max_model_len:
        yield (
            f"traffic: the longest request has {longest:,} tokens, and maxModelLen is {plan.options.max_model_len:,}: "
            "raise it, or state shorter requests"
        )
        return
    speed = SpeedModel.build(plan.model, plan.instance, plan.layout, plan.options)
    if speed is None:
        yield f"traffic: not checked, because the speed of this model on {plan.instance.type} is unknown"
        return
    replica = Replica(plan=replace(plan, replicas=1), speed=speed, traffic=traffic)
    load, at = traffic.load / plan.replicas, f"at {traffic.load_label}"
    # Far above capacity the queue grows without end, and its replay takes very long.
    seen = replica.at(load) if load <= replica.most_load else None
    if seen is None or replica.broken(seen, ServiceLevel()) == LOAD:
        yield f"{at} requests wait for each other: the load is above what {_machines(plan)} can serve{_fix(plan)}"
        return
    for name, limit in level.limits.items():
        reached, most = seen.percentile(name, limit.percentile), limit.seconds
        if reached > most:
            replicas_help = replica.over(replica.alone_seen, name, level) <= 1
            yield (
                f"{at} {NAMES[name]} p{limit.percentile} is {duration_in_words(reached)}, over your "
                f"{duration_in_words(most)} ({speed.evidence.label}){_fix(plan, replicas_help=replicas_help)}"
            )


def _machines(plan: Plan) -> str:
    return f"{plan.total_nodes} x {plan.instance.type}"


def _fix(plan: Plan, *, replicas_help: bool = True) -> str:
    if replicas_help:
        return f": raise replicas, or see vllm-eks size {plan.model.id}"
    return f": more replicas do not help, one request at a time is as slow: see vllm-eks size {plan.model.id}"
