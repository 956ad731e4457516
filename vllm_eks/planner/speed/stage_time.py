"""Seconds of one rank for a batch: coefficients that are computed once, and arithmetic that is cheap enough for
100,000 batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from vllm_eks.planner.hardware.peaks import PeakFlops
from vllm_eks.planner.speed.constants import Constants
from vllm_eks.planner.speed.kernels import bandwidth_of, peak_of, width_of
from vllm_eks.planner.speed.step_batch import StepBatch
from vllm_eks.planner.speed.work import Matrices, Routing, StageWork

VALUE_BYTES = 2
"""Activations have 16 bits."""
SHARPNESS = 4
"""How a kernel's time for memory and for arithmetic combine: (m**4 + f**4)**(1/4), 19 % above both where they are
equal, and the larger one elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """The link between the ranks of a stage, as a collective uses it."""

    seconds: float
    """Latency of one all-reduce."""
    bytes_per_second: float
    ranks: int


@dataclass(frozen=True, kw_only=True)
class Graphs:
    """Which steps run in a CUDA graph, so that the host does not start their kernels one by one."""

    of_decodes: bool
    prompt_tokens: float
    """Steps with prompts that have at most this many tokens, or 0 for none."""

    def launches(self, tokens: float, *, has_prompts: bool) -> bool:
        """Return whether a step with this many tokens runs outside the graphs."""
        return tokens > self.prompt_tokens if has_prompts else not self.of_decodes


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """Seconds of a step by what they are spent on."""

    bandwidth: float
    flops: float
    link: float
    overhead: float
    total: float

    @property
    def limit(self) -> str:
        """The part that takes the most time: bandwidth, flops, link or overhead."""
        parts = {"bandwidth": self.bandwidth, "flops": self.flops, "link": self.link, "overhead": self.overhead}
        return max(parts, key=lambda name: parts[name])


@dataclass(frozen=True, kw_only=True)
class _Kernels:
    """Seconds to read the weights once, and seconds per token."""

    read: float
    per_token: float


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Layers with one window: seconds per token of context."""

    window_tokens: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StageTime:
    """The coefficients of one rank."""

    dense: _Kernels
    experts: _Kernels | None
    routing: Routing | None
    head: _Kernels | None
    reads: tuple[_Kind, ...]
    decode_flops: tuple[_Kind, ...]
    prompt_flops: tuple[_Kind, ...]
    state_seconds: float
    link_seconds: float
    link_seconds_per_token: float
    pass_seconds_per_token: float
    """Of the operations between the matrices, which read and write the activations."""
    layers_seconds: float
    launch_seconds: float
    """In which the host starts the kernels of a step outside a CUDA graph."""
    graphs: Graphs
    evenness: float

    def seconds(self, batch: StepBatch) -> StepTime:
        """Return the time of a batch on this rank."""
        tokens = batch.decoding_requests + batch.prompt_tokens
        memory, flops = self.dense.read, self.dense.per_token * tokens
        total = _larger(memory, flops)
        if self.experts and self.routing:
            read = self.experts.read * _touched(self.routing, tokens * self.evenness)
            computed = self.experts.per_token * tokens
            memory, flops, total = memory + read, flops + computed, total + _larger(read, computed)
        if self.head:
            computed = self.head.per_token * (batch.decoding_requests + batch.prompts)
            memory, flops = memory + self.head.read, flops + computed
            total += _larger(self.head.read, computed)
        if batch.decoding_requests:
            context = batch.decoding_context_tokens / batch.decoding_requests
            read = _seconds(self.reads, context) * batch.decoding_requests
            read += self.state_seconds * batch.decoding_requests
            computed = _seconds(self.decode_flops, context) * batch.decoding_requests
            memory, flops, total = memory + read, flops + computed, total + _larger(read, computed)
        if batch.prompt_tokens:
            context = batch.prompt_context_tokens / batch.prompt_tokens
            computed = _seconds(self.prompt_flops, context) * batch.prompt_tokens
            flops, total = flops + computed, total + computed
        passed = self.pass_seconds_per_token * tokens
        link = self.link_seconds + self.link_seconds_per_token * tokens
        memory, total = memory + passed, total + passed + link + self.layers_seconds
        overhead = self.layers_seconds
        if self.graphs.launches(tokens, has_prompts=batch.prompt_tokens > 0):
            # The host starts each kernel while the GPU works on those before it.
            launched = _larger(total, self.launch_seconds)
            overhead, total = overhead + launched - total, launched
        return StepTime(bandwidth=memory, flops=flops, link=link, overhead=overhead, total=total)


def stage_time(
    work: StageWork,
    constants: Constants,
    peaks: PeakFlops,
    bandwidth_bytes_per_second: float,
    link: Link | None,
    graphs: Graphs,
) -> StageTime:
    """Return the coefficients of one rank."""
    memory, flops = constants.memory_efficiency, constants.flops_efficiency

    def kernels(matrices: Matrices, flops_class: str, *, of_experts: bool = False) -> _Kernels:
        kernel = matrices.kernel
        reached = memory[width_of(kernel, of_experts=of_experts)]
        return _Kernels(
            read=matrices.weight_bytes / (reached * bandwidth_of(kernel, bandwidth_bytes_per_second)),
            per_token=matrices.flops_per_token / (flops[flops_class] * peak_of(kernel, peaks)),
        )

    attention = flops["16-bit"] * peaks.of_16_bits
    cached = memory["4-bit" if work.has_narrow_cache else "8-bit and wider"] * bandwidth_bytes_per_second
    reads = [(one.window_tokens, one.token_bytes / cached) for one in work.caches]
    passed = constants.activation_passes * work.layers * work.hidden_size * VALUE_BYTES
    collectives = 2 * work.layers if link else 0
    sent = work.hidden_size * VALUE_BYTES * 2 * (link.ranks - 1) / link.ranks if link else 0.0
    overhead = constants.layer_microseconds * work.layers
    routed = "experts"
    if work.routing and work.experts:
        routed = "4-bit experts" if work.experts.kernel == "4-bit" else "experts"
        overhead += constants.expert_microseconds * work.mixture_layers * work.routing.per_token
    return StageTime(
        dense=kernels(work.dense, work.dense.kernel),
        experts=kernels(work.experts, routed, of_experts=True) if work.experts else None,
        routing=work.routing,
        head=kernels(work.head, work.head.kernel) if work.head else None,
        reads=_kinds(reads),
        decode_flops=_kinds([(one.window_tokens, one.decode_flops / attention) for one in work.attention]),
        prompt_flops=_kinds([(one.window_tokens, one.prompt_flops / attention) for one in work.attention]),
        state_seconds=work.state_bytes_per_request / cached,
        link_seconds=collectives * link.seconds if link else 0.0,
        link_seconds_per_token=collectives * sent / link.bytes_per_second if link else 0.0,
        pass_seconds_per_token=passed / bandwidth_bytes_per_second,
        layers_seconds=overhead / 1e6,
        launch_seconds=constants.prompt_layer_microseconds * work.launched_layers / 1e6,
        graphs=graphs,
        evenness=constants.routing_evenness,
    )


def _kinds(parts: Sequence[tuple[int | None, float]]) -> tuple[_Kind, ...]:
    """Return one kind for each window, with the seconds of its layers added up."""
    sums: dict[float, float] = {}
    for window, seconds in parts:
        key = float("inf") if window is None else float(window)
        sums[key] = sums.get(key, 0.0) + seconds
    return tuple(_Kind(window_tokens=window, seconds=seconds) for window, seconds in sums.items() if seconds)


def _seconds(kinds: Sequence[_Kind], context_tokens: float) -> float:
    return sum(kind.seconds * min(kind.window_tokens, context_tokens) for kind in kinds)


def _touched(routing: Routing, tokens: float) -> float:
    """Return the share of the experts that at least one of these tokens is routed to, if routing is even."""
    return 1 - (1 - routing.per_token / routing.count) ** tokens


def _larger(memory: float, flops: float) -> float:
    return (memory**SHARPNESS + flops**SHARPNESS) ** (1 / SHARPNESS)
