"""Seconds of one rank for a batch: coefficients that are computed once, and arithmetic that is cheap enough for
100,000 batches."""

from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from vllm_eks.planner.hardware.peaks import PeakFlops
from vllm_eks.planner.speed.constants import Constants
from vllm_eks.planner.speed.kernel_seconds import Kernels, Kind, Part, context_seconds, kinds, larger, touched
from vllm_eks.planner.speed.kernels import bandwidth_of, peak_of, width_of
from vllm_eks.planner.speed.step_batch import StepBatch
from vllm_eks.planner.speed.work import Matrices, Routing, StageWork

VALUE_BYTES = 2
"""Activations have 16 bits."""


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
class StageTime:
    """The coefficients of one rank."""

    dense: Kernels
    experts: Kernels | None
    routing: Routing | None
    head: Kernels | None
    reads: tuple[Kind, ...]
    decode_flops: tuple[Kind, ...]
    prompt_flops: tuple[Kind, ...]
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
    _matrices: dict[float, Part] = field(default_factory=dict[float, Part], compare=False, repr=False)
    """By tokens. Steps of a replay have the same numbers again and again."""
    _outputs: dict[float, Part] = field(default_factory=dict[float, Part], compare=False, repr=False)

    def total(
        self,
        decoding_requests: float,
        decoding_context_tokens: float,
        prompt_tokens: float,
        prompt_context_tokens: float,
        prompts: float,
    ) -> float:
        """Return the seconds of a batch on this rank."""
        tokens, outputs = decoding_requests + prompt_tokens, decoding_requests + prompts
        total = (self._matrices.get(tokens) or self._pass_matrices(tokens)).total
        total += (self._outputs.get(outputs) or self._write_outputs(outputs)).total
        if decoding_requests:
            if self._seconds_per_context_token is not None:
                total += self._seconds_per_context_token * decoding_context_tokens
            else:
                total += larger(*self._decode(decoding_requests, decoding_context_tokens))
        if prompt_tokens:
            total += self._prompt_seconds(prompt_tokens, prompt_context_tokens)
        if self.graphs.launches(tokens, has_prompts=prompt_tokens > 0):
            # The host starts each kernel while the GPU works on those before it.
            return larger(total, self.launch_seconds)
        return total

    def seconds(self, batch: StepBatch) -> StepTime:
        """Return the time of a batch on this rank, by what it is spent on."""
        tokens = batch.decoding_requests + batch.prompt_tokens
        parts = [self._pass_matrices(tokens), self._write_outputs(batch.decoding_requests + batch.prompts)]
        if batch.decoding_requests:
            parts.append(Part.of(*self._decode(batch.decoding_requests, batch.decoding_context_tokens)))
        prompts = self._prompt_seconds(batch.prompt_tokens, batch.prompt_context_tokens) if batch.prompt_tokens else 0.0
        total = self.total(
            batch.decoding_requests,
            batch.decoding_context_tokens,
            batch.prompt_tokens,
            batch.prompt_context_tokens,
            batch.prompts,
        )
        on_gpu = sum(part.total for part in parts) + prompts
        return StepTime(
            bandwidth=sum(part.memory for part in parts),
            flops=sum(part.flops for part in parts) + prompts,
            link=self._link_seconds(tokens),
            overhead=self.layers_seconds + total - on_gpu,
            total=total,
        )

    def _pass_matrices(self, tokens: float) -> Part:
        """Return the time of all that depends on the number of tokens only."""
        passed = self.pass_seconds_per_token * tokens
        memory, flops = self.dense.read, self.dense.per_token * tokens
        total = larger(memory, flops) + passed + self._link_seconds(tokens) + self.layers_seconds
        if self.experts and self.routing:
            read = self.experts.read * touched(self.routing, tokens * self.evenness)
            computed = self.experts.per_token * tokens
            memory, flops, total = memory + read, flops + computed, total + larger(read, computed)
        found = Part(memory + passed, flops, total)
        self._matrices[tokens] = found
        return found

    def _write_outputs(self, outputs: float) -> Part:
        """Return the time of the output projection, which the last stage has."""
        read, per_token = (self.head.read, self.head.per_token) if self.head else (0.0, 0.0)
        found = Part.of(read, per_token * outputs)
        self._outputs[outputs] = found
        return found

    def _link_seconds(self, tokens: float) -> float:
        return self.link_seconds + self.link_seconds_per_token * tokens

    def _decode(self, requests: float, context_tokens: float) -> tuple[float, float]:
        """Return the time of the attention of decoding requests: for memory, and for arithmetic."""
        context = context_tokens / requests
        read = context_seconds(self.reads, context) + self.state_seconds
        return read * requests, context_seconds(self.decode_flops, context) * requests

    @cached_property
    def _seconds_per_context_token(self) -> float | None:
        """The same for each token of the contexts, or None if windows or states make that differ."""
        if self.state_seconds or any(kind.window_tokens != inf for kind in (*self.reads, *self.decode_flops)):
            return None
        return larger(*self._decode(1.0, 1.0))

    def _prompt_seconds(self, tokens: float, context_tokens: float) -> float:
        return context_seconds(self.prompt_flops, context_tokens / tokens) * tokens


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

    def kernels(matrices: Matrices, flops_class: str, *, of_experts: bool = False) -> Kernels:
        kernel = matrices.kernel
        reached = memory[width_of(kernel, of_experts=of_experts)]
        return Kernels(
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
        reads=kinds(reads),
        decode_flops=kinds([(one.window_tokens, one.decode_flops / attention) for one in work.attention]),
        prompt_flops=kinds([(one.window_tokens, one.prompt_flops / attention) for one in work.attention]),
        state_seconds=work.state_bytes_per_request / cached,
        link_seconds=collectives * link.seconds if link else 0.0,
        link_seconds_per_token=collectives * sent / link.bytes_per_second if link else 0.0,
        pass_seconds_per_token=passed / bandwidth_bytes_per_second,
        layers_seconds=overhead / 1e6,
        launch_seconds=constants.prompt_layer_microseconds * work.launched_layers / 1e6,
        graphs=graphs,
        evenness=constants.routing_evenness,
    )
