"""The speed of a plan under a load that the plan states, so that types can be compared and ranked."""

from dataclasses import dataclass

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.speed.evidence import Evidence
from vllm_eks.planner.speed.model import SpeedModel
from vllm_eks.planner.speed.steady import Lengths, Limits, Steady, steady_state

INPUT_TOKENS, OUTPUT_TOKENS = 1024, 256
"""Lengths of a request that a plan assumes: a chat with some history."""
MOST_REQUESTS = 256
"""Requests at once that a plan assumes, if --max-num-seqs and the KV cache allow them. 256 is vLLM's default on small
GPUs."""


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """The speed of one replica that is full of requests of the stated lengths."""

    lengths: Lengths
    steady: Steady
    evidence: Evidence

    @property
    def tokens_per_second(self) -> Range:
        """Output tokens per second."""
        return self.steady.output_tokens_per_second

    @property
    def running_requests(self) -> int:
        """Requests that run at once."""
        return int(self.steady.running_requests)


def throughput(
    model: ModelFacts, instance: InstanceType, layout: Layout, options: ResolvedOptions
) -> Throughput | None:
    """Return the speed of one replica, or None when it is unknown or the KV cache does not hold a request."""
    lengths = _lengths(options.max_model_len)
    length = int(lengths.input_tokens + lengths.output_tokens)
    held = max(0, layout.blocks[1]) // layout.cache.blocks_per_request(length, options)
    speed = SpeedModel.build(model, instance, layout, options) if held else None
    if speed is None:
        return None
    limits = Limits(
        max_num_seqs=options.max_num_seqs,
        max_num_batched_tokens=options.max_num_batched_tokens,
        kv_tokens=held * lengths.mean_context_tokens,
    )
    running = min(held, options.max_num_seqs, MOST_REQUESTS)
    steady = steady_state(speed, concurrency=running, lengths=lengths, limits=limits)
    return Throughput(lengths=lengths, steady=steady, evidence=speed.evidence)


def _lengths(max_model_len: int) -> Lengths:
    """Return the stated lengths, or shorter ones of the same proportion where the context does not hold them."""
    share = min(1.0, max_model_len / (INPUT_TOKENS + OUTPUT_TOKENS))
    return Lengths(input_tokens=max(1, int(INPUT_TOKENS * share)), output_tokens=max(1, int(OUTPUT_TOKENS * share)))


def usd_per_million_tokens(usd_per_hour: float, tokens_per_second: float) -> float:
    """Return the price of a million tokens in US dollars."""
    return usd_per_hour / 3600 / tokens_per_second * 1e6
