"""What the planner predicts for a benchmark, from the same model of speed and replay as `vllm-eks size`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vllm_eks.bench.command import PERCENTILES
from vllm_eks.bench.load import Load
from vllm_eks.planner.load.replayed import Replay
from vllm_eks.planner.load.service_level import Latency
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.sizing.replica import Replica
from vllm_eks.planner.speed.evidence import Label
from vllm_eks.planner.speed.model import SpeedModel
from vllm_eks.planner.speed.steady import Steady, steady_rate, steady_state

REPLAYED: tuple[Latency, ...] = ("ttft", "itl", "e2e")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The prediction for all replicas together. Times are means over all requests."""

    output_tokens_per_second: Range
    requests_per_second: Range
    ttft_seconds: Range
    tpot_seconds: Range
    limit: str
    """What limits the speed: bandwidth, flops, link, overhead, KV cache or max_num_seqs."""
    label: Label
    is_saturated: bool
    """Whether requests arrive faster than they are answered."""
    step_factor: float
    """The measured step time over the predicted one that the prediction includes."""


Percentiles = Mapping[Latency, Mapping[int, float]]
"""Seconds by percentage, of the times to the first token, between tokens, and of whole answers."""


def predict(plan: Plan, load: Load, *, replicas: int, step_factor: float | None = None) -> Prediction | None:
    """Return the prediction, or None where the speed or the memory of the plan is not known.

    Args:
        plan: The plan of the stack.
        load: The load on all replicas together, which share it equally.
        replicas: The replicas that serve.
        step_factor: The measured step time over the predicted one. By default the stack's own.
    """
    factor = plan.options.measured_step_factor if step_factor is None else step_factor
    replica = _replica(plan, load, factor)
    if replica is None:
        return None
    steady = _steady(replica, load, replicas)
    counted = replicas * _share_of_full_load(load, steady)
    return Prediction(
        output_tokens_per_second=steady.output_tokens_per_second * counted,
        requests_per_second=steady.requests_per_second * counted,
        ttft_seconds=steady.ttft_seconds,
        tpot_seconds=steady.tpot_seconds,
        limit=steady.limit,
        label=replica.speed.evidence.label,
        is_saturated=steady.is_saturated,
        step_factor=factor,
    )


def predict_percentiles(plan: Plan, load: Load, *, replicas: int) -> Percentiles | None:
    """Return the predicted percentiles from a replay of one replica, or None where the speed is not known."""
    replica = _replica(plan, load, plan.options.measured_step_factor)
    if replica is None:
        return None
    seen: Replay = replica.at(load.traffic.load / replicas)
    return {latency: {one: seen.percentile(latency, one) for one in PERCENTILES} for latency in REPLAYED}


def _replica(plan: Plan, load: Load, factor: float) -> Replica | None:
    if plan.layout is None:
        return None
    options = replace(plan.options, measured_step_factor=factor)
    speed = SpeedModel.build(plan.model, plan.instance, plan.layout, options)
    return Replica(plan=plan, speed=speed, traffic=load.traffic) if speed else None


def _steady(replica: Replica, load: Load, replicas: int) -> Steady:
    lengths, limits, share = replica.lengths, replica.limits, load.traffic.load / replicas
    if load.concurrent_users is not None:
        # All users begin at once, which makes the first tokens later.
        rounds = load.requests / load.concurrent_users
        return steady_state(replica.speed, concurrency=share, lengths=lengths, limits=limits, rounds=rounds)
    return steady_rate(replica.speed, requests_per_second=share, lengths=lengths, limits=limits)


def _share_of_full_load(load: Load, steady: Steady) -> float:
    """Return how much of the steady throughput a benchmark sees: after the last arrival, only the last answers run.

    Users keep all requests in flight until the end. At a rate, the requests need their own time after the last one.
    """
    if load.requests_per_second is None or steady.is_saturated:
        return 1.0
    answer_seconds = steady.ttft_seconds.best + (load.output_tokens - 1) * steady.tpot_seconds.best
    arriving_seconds = load.requests / load.requests_per_second
    return arriving_seconds / (arriving_seconds + answer_seconds)
