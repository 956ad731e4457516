"""What the planner predicts for a benchmark, from the same model of speed as `vllm-eks size`."""

from dataclasses import dataclass, replace

from vllm_eks.bench.load import Load
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.speed.evidence import Label
from vllm_eks.planner.speed.model import SpeedModel
from vllm_eks.planner.speed.steady import Lengths, Limits, Steady, steady_rate, steady_state


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


def predict(plan: Plan, load: Load, *, replicas: int, step_factor: float | None = None) -> Prediction | None:
    """Return the prediction, or None where the speed or the memory of the plan is not known.

    Args:
        plan: The plan of the stack.
        load: The load on all replicas together, which share it equally.
        replicas: The replicas that serve.
        step_factor: The measured step time over the predicted one. By default the stack's own.
    """
    if plan.layout is None:
        return None
    factor = plan.options.measured_step_factor if step_factor is None else step_factor
    speed = SpeedModel.build(plan.model, plan.instance, plan.layout, replace(plan.options, measured_step_factor=factor))
    if speed is None:
        return None
    steady = _steady(speed, plan, load, replicas)
    counted = replicas * _share_of_full_load(load, steady)
    return Prediction(
        output_tokens_per_second=steady.output_tokens_per_second * counted,
        requests_per_second=steady.requests_per_second * counted,
        ttft_seconds=steady.ttft_seconds,
        tpot_seconds=steady.tpot_seconds,
        limit=steady.limit,
        label=speed.evidence.label,
        is_saturated=steady.is_saturated,
        step_factor=factor,
    )


def _steady(speed: SpeedModel, plan: Plan, load: Load, replicas: int) -> Steady:
    # vLLM caches prefixes unless a stack says otherwise.
    cached = 0 if plan.options.prefix_caching is False else load.shared_prefix_tokens
    lengths = Lengths(input_tokens=load.input_tokens - cached, output_tokens=load.output_tokens, cached_tokens=cached)
    limits = Limits(
        max_num_seqs=plan.options.max_num_seqs,
        max_num_batched_tokens=plan.options.max_num_batched_tokens,
        kv_tokens=plan.kv_cache_tokens,
    )
    if load.concurrent_users is not None:
        users = load.concurrent_users / replicas
        return steady_state(speed, concurrency=users, lengths=lengths, limits=limits)
    rate = (load.requests_per_second or 0.0) / replicas
    return steady_rate(speed, requests_per_second=rate, lengths=lengths, limits=limits)


def _share_of_full_load(load: Load, steady: Steady) -> float:
    """Return how much of the steady throughput a benchmark sees: after the last arrival, only the last answers run.

    Users keep all requests in flight until the end. At a rate, the requests need their own time after the last one.
    """
    if load.requests_per_second is None or steady.is_saturated:
        return 1.0
    answer_seconds = steady.ttft_seconds.best + (load.output_tokens - 1) * steady.tpot_seconds.best
    arriving_seconds = load.requests / load.requests_per_second
    return arriving_seconds / (arriving_seconds + answer_seconds)
