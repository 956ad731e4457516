"""The machines that a model could run on: every type, tensor parallel size and pipeline size that fits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf

from vllm_eks.errors import WrongQuestion, did_you_mean, nearest_names
from vllm_eks.planner.engine.options import DEFAULT_CONTEXT_TOKENS, ServingOptions
from vllm_eks.planner.hardware.instances import InstanceType, catalogue
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.cheapest import is_estimated, ranking_usd_per_hour
from vllm_eks.planner.search.compare import without_driver
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.sizing.replica import Replica
from vllm_eks.planner.speed.model import SpeedModel
from vllm_eks.planner.vllm_version import parse_version

CONTEXT_STEP_TOKENS = 1024
"""A context longer than the default is rounded up to a multiple of this."""

Class = tuple[bool, bool, bool]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A replica on one instance type, and how many of it a load needs at least."""

    replica: Replica

    @property
    def plan(self) -> Plan:
        """The plan of one replica."""
        return self.replica.plan

    @property
    def group(self) -> Class:
        """What counts before the price: a sure fit, one node for each replica, measured GPU memory."""
        return (self.plan.verdict != "fits", self.plan.nodes_per_replica > 1, is_estimated(self.plan.instance))

    def sized(self, replicas: int) -> Plan:
        """Return the plan with this many replicas."""
        return replace(self.plan, replicas=replicas)

    def usd_per_hour(self, replicas: float) -> float:
        """Return the price of this many replicas for ranking, or infinity."""
        return inf if replicas == inf else ranking_usd_per_hour(self.sized(int(replicas)))

    @cached_property
    def speed_key(self) -> tuple[object, ...]:
        """What decides the speed of the replica: types that differ in host or disks only have equal keys."""
        instance = self.plan.instance
        return (
            instance.one_gpu,
            instance.gpu,
            instance.gpu_memory_bandwidth_gbytes_per_second,
            instance.gpu_interconnect_gbytes_per_second if self.plan.ranks > 1 else None,
            instance.network_gbps if self.plan.nodes_per_replica > 1 else None,
            self.plan.sizes and self.plan.sizes.label,
            self.plan.options,
        )


def candidates(
    model: ModelFacts, requested: ServingOptions, traffic: Traffic, *, region: str, family: str | None
) -> Iterator[Candidate]:
    """Yield each replica that fits, on each type with known speed.

    Raises:
        WrongQuestion: No type has this family, or the model cannot take requests of this length.
    """
    options = with_context(model, requested, traffic)
    for instance in types_of(family, region):
        tp = 1
        while tp <= instance.gpus:
            if found := _candidate(model, instance, replace(options, tensor_parallel_size=tp), traffic):
                yield found
            tp *= 2


def _candidate(
    model: ModelFacts, instance: InstanceType, options: ServingOptions, traffic: Traffic
) -> Candidate | None:
    """Return the replica with these sizes if a whole node of such replicas fits."""
    tp = options.tensor_parallel_size or 1
    whole_node = try_layouts(model, instance, replace(options, replicas=instance.gpus // tp))
    plan = without_driver(whole_node)
    if not plan.fits or plan.layout is None:
        return None
    speed = SpeedModel.build(model, instance, plan.layout, plan.options)
    if speed is None:
        return None
    return Candidate(replica=Replica(plan=replace(plan, replicas=1), speed=speed, traffic=traffic))


def types_of(family: str | None, region: str) -> list[InstanceType]:
    """Return the types of a family, such as g6e, or all types.

    Raises:
        WrongQuestion: There is no such family.
    """
    types = list(catalogue(region).values())
    if family is None:
        return types
    families = sorted({one.type.partition(".")[0] for one in types})
    start, dot, _ = family.partition(".")
    if dot and start in families:
        raise WrongQuestion(f"--family {family!r} is an instance type, not a family: use {start}")
    if family not in families:
        names = did_you_mean(nearest_names(family, families)) if re.fullmatch(r"[\w.-]+", family) else ""
        raise WrongQuestion(
            f"--family {family!r} is not in the catalogue{names or ': use one of ' + ', '.join(families)}"
        )
    return [one for one in types if one.type.partition(".")[0] == family]


def with_context(model: ModelFacts, requested: ServingOptions, traffic: Traffic) -> ServingOptions:
    """Return the options with a context for the longest request, or the requested one.

    Raises:
        WrongQuestion: The model or the requested context cannot take the longest request.
    """
    longest = traffic.lengths.longest_request
    limit = model.architecture.context_limit(parse_version(requested.vllm_version))
    varies = traffic.lengths.input.varies or traffic.lengths.output.varies
    what = f"the longest request has {longest:,} input and output tokens"
    if requested.max_model_len is not None and requested.max_model_len < longest:
        raise WrongQuestion(f"--max-model-len {requested.max_model_len:,} is too short: {what}")
    if longest > limit:
        shorter = "lower mean lengths" if varies and not traffic.lengths.rows else "shorter requests"
        raise WrongQuestion(f"{model.id} takes at most {limit:,} tokens, and {what}: use {shorter}")
    if requested.max_model_len is not None or longest <= min(limit, DEFAULT_CONTEXT_TOKENS):
        return requested
    return replace(requested, max_model_len=min(limit, ceil(longest / CONTEXT_STEP_TOKENS) * CONTEXT_STEP_TOKENS))
