"""The time of one engine step: a model of the bytes, operations and messages of each rank, with measured constants."""

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Self

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.startup import GB
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.hardware.peaks import PeakFlops, peak_flops
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.memory.terms import captured_graphs, graph_capture_sizes
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.speed.constants import Constants, known_constants, of_version
from vllm_eks.planner.speed.evidence import Evidence, evidence
from vllm_eks.planner.speed.stage_time import VALUE_BYTES, Graphs, Link, StageTime, StepTime, stage_time
from vllm_eks.planner.speed.step_batch import StepBatch, decoding_share
from vllm_eks.planner.speed.work import StageWork, stage_works
from vllm_eks.planner.vllm_version import OLDEST

BITS_PER_BYTE = 8
GIGA = 1e9
OLD_PCIE_GBYTES = 16.0
"""PCIe Gen3, for an instance file without a bandwidth."""
MOST_LINK_GBYTES = 450.0
"""NVLink4. Prompts on B200 gain no more from its faster link (InferenceX, Llama 70B at TP 2 to 8)."""


@dataclass(frozen=True, kw_only=True)
class SpeedModel:
    """The speed of one replica. Build it once for a model, an instance type, a layout and options."""

    stages: tuple[StageTime, ...]
    step_overhead_seconds: float
    request_overhead_seconds: float
    answer_seconds: float
    """Of a request outside the engine, which its first token waits for."""
    answer_seconds_per_token: float
    """The same for each token of its prompt."""
    hop_seconds: float
    """Latency between two pipeline stages, or 0 for one stage."""
    hop_seconds_per_token: float
    evidence: Evidence
    step_factor: float = 1.0
    """The measured time of a step over the one of the constants (`vllm-eks bench --calibrate`)."""

    @classmethod
    def build(cls, model: ModelFacts, instance: InstanceType, layout: Layout, options: ResolvedOptions) -> Self | None:
        """Return the speed, or None when it is unknown.

        That is: for a GPU without a known bandwidth and peak, and with weights in host memory, whose bandwidth is
        unknown.
        """
        peaks = peak_flops(instance)
        if peaks is None or not instance.gpu_memory_bandwidth_gbytes_per_second or not options.flags.offload.is_off:
            return None
        works = stage_works(model, instance, layout, options)
        rests_on = evidence(
            model,
            instance,
            tensor_parallel_size=layout.tensor_parallel_size,
            pipeline_parallel_size=layout.pipeline_parallel_size,
        )
        if options.measured_step_factor != 1:
            # Imported here, because only a measured stack needs it.
            from vllm_eks.planner.speed.calibrated import calibrated

            rests_on = calibrated(rests_on)
        return cls.of_works(works, instance, peaks, layout, options, known_constants(), rests_on)

    @classmethod
    def of_works(
        cls,
        works: tuple[StageWork, ...],
        instance: InstanceType,
        peaks: PeakFlops,
        layout: Layout,
        options: ResolvedOptions,
        constants: Constants,
        rests_on: Evidence,
    ) -> Self:
        """Return the speed with the work of each stage and these constants."""
        bandwidth = (instance.gpu_memory_bandwidth_gbytes_per_second or 0.0) * GB
        link = _link(instance, layout.tensor_parallel_size, constants)
        graphs = _graphs(options)
        hops = len(works) - 1
        crosses = layout.tensor_parallel_size * len(works) > instance.gpus
        way = "network" if crosses else _link_name(instance)
        speed = _network_bytes_per_second(instance) if crosses else _link_bytes_per_second(instance)
        return cls(
            stages=tuple(stage_time(work, constants, peaks, bandwidth, link, graphs) for work in works),
            step_overhead_seconds=of_version(constants.step_microseconds, options.version) / 1e6,
            request_overhead_seconds=of_version(constants.request_microseconds, options.version) / 1e6,
            answer_seconds=constants.answer_microseconds / 1e6,
            answer_seconds_per_token=constants.prompt_token_microseconds / 1e6,
            hop_seconds=hops * constants.link_microseconds[way] / 1e6,
            hop_seconds_per_token=hops * works[0].hidden_size * VALUE_BYTES / (speed * constants.link_efficiency[way]),
            evidence=rests_on,
            step_factor=options.measured_step_factor,
        )

    def answer_seconds_of(self, prompt_tokens: float) -> float:
        """Return the seconds of a request outside the engine that its first token waits for."""
        return self.answer_seconds + self.answer_seconds_per_token * prompt_tokens

    def step_seconds(self, batch: StepBatch) -> float:
        """Return the seconds in which every decoding request gets one token, and the prompt tokens are processed.

        With pipeline stages the batch is split into as many parts, which pass the stages one behind the other.
        """
        return self.seconds(
            decoding_requests=batch.decoding_requests,
            decoding_context_tokens=batch.decoding_context_tokens,
            prompt_tokens=batch.prompt_tokens,
            prompt_context_tokens=batch.prompt_context_tokens,
            prompts=batch.prompts,
        )

    def seconds(
        self,
        *,
        decoding_requests: float,
        decoding_context_tokens: float,
        prompt_tokens: float = 0.0,
        prompt_context_tokens: float = 0.0,
        prompts: float = 0.0,
    ) -> float:
        """Return the same for a batch in plain numbers. A replay asks for some 100,000 of them."""
        parts, hop = len(self.stages), 0.0
        if parts > 1:
            share = decoding_share(decoding_requests, parts)
            decoding_requests *= share
            decoding_context_tokens *= share
            prompt_tokens /= parts
            prompt_context_tokens /= parts
            prompts /= parts
            hop = self.hop_seconds + self.hop_seconds_per_token * (decoding_requests + prompt_tokens)
        total = hop + self.step_overhead_seconds + self.request_overhead_seconds * (decoding_requests + prompts)
        for stage, times in self._runs_of_stages:
            seconds = stage.total(
                decoding_requests, decoding_context_tokens, prompt_tokens, prompt_context_tokens, prompts
            )
            for _ in range(times):
                total += seconds
        return self.step_factor * total

    @cached_property
    def _runs_of_stages(self) -> tuple[tuple[StageTime, int], ...]:
        """The stages in their order, and how many equal ones follow each other: only one of these is computed."""
        return tuple((stage, len(list(equal))) for stage, equal in groupby(self.stages))

    def step_time(self, batch: StepBatch) -> StepTime:
        """Return the same by what the time is spent on."""
        part = batch.split(len(self.stages))
        times = [stage.seconds(part) for stage in self.stages]
        requests, tokens = part.decoding_requests + part.prompts, part.decoding_requests + part.prompt_tokens
        overhead = self.step_overhead_seconds + self.request_overhead_seconds * requests
        hop = self.hop_seconds + self.hop_seconds_per_token * tokens
        factor = self.step_factor
        return StepTime(
            bandwidth=factor * sum(one.bandwidth for one in times),
            flops=factor * sum(one.flops for one in times),
            link=factor * (sum(one.link for one in times) + hop),
            overhead=factor * (sum(one.overhead for one in times) + overhead),
            total=self.step_seconds(batch),
        )


def _graphs(options: ResolvedOptions) -> Graphs:
    captured = captured_graphs(options) > 0
    piecewise = captured and options.flags.graphs.has_piecewise and options.version >= OLDEST
    return Graphs(of_decodes=captured, prompt_tokens=max(graph_capture_sizes(options), default=0) if piecewise else 0)


def _link_name(instance: InstanceType) -> str:
    return "nvlink" if instance.has_nvlink else "pcie"


def _link_bytes_per_second(instance: InstanceType) -> float:
    return min(instance.gpu_interconnect_gbytes_per_second or OLD_PCIE_GBYTES, MOST_LINK_GBYTES) * GB


def _network_bytes_per_second(instance: InstanceType) -> float:
    return (instance.network_gbps or 10.0) * GIGA / BITS_PER_BYTE


def _link(instance: InstanceType, ranks: int, constants: Constants) -> Link | None:
    if ranks == 1:
        return None
    name = _link_name(instance)
    return Link(
        seconds=(constants.link_microseconds[name] + ranks * constants.link_rank_microseconds[name]) / 1e6,
        bytes_per_second=_link_bytes_per_second(instance) * constants.link_efficiency[name],
        ranks=ranks,
    )
