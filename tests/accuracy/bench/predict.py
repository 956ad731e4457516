"""Predictions of benchmark rows by the speed model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import ceil

from tests.accuracy.bench.machines import machine_of
from tests.accuracy.bench.models import RowModel, model_of
from tests.accuracy.bench.rows import BenchRow
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.hardware.peaks import PeakFlops
from vllm_eks.planner.memory.stages import Layout, build_layout
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.speed.constants import Constants, known_constants
from vllm_eks.planner.speed.evidence import Evidence, MeasuredMachine, evidence, machine
from vllm_eks.planner.speed.model import SpeedModel
from vllm_eks.planner.speed.steady import Lengths, Limits, Steady, steady_rate, steady_state
from vllm_eks.planner.speed.step_batch import StepBatch
from vllm_eks.planner.speed.work import Matrices, StageWork, stage_works
from vllm_eks.planner.vllm_version import NEWEST_READ, OLDEST_READ

OLD_MAX_NUM_SEQS = 256
UNSAID_ROUNDS = 10
"""Requests of each user in a benchmark that does not say it: InferenceX sends ten times the concurrency."""


FP8_CACHES = {
    ("inferencex", "B200", None),
    ("nvidia-aic-gap-analysis", "B200", None),
    ("inferencex", "H200", "llama3-70b"),
}
"""Source, GPU and model of which the recipe sets --kv-cache-dtype fp8, None for any model: 70b_fp4_b200_docker.sh,
gptoss_fp4_b200.sh and 70b_fp8_h200_slurm.sh in benchmarks/ of github.com/SemiAnalysisAI/InferenceX. So many requests
ran at once only with it. The H100's recipe sets it too, but its rows hold no more than a 16-bit cache does."""
DRAWN, MEAN_OF_DRAWN = "draws lengths from 0.8-1.0", 0.9
CACHED_OF_TURNS = 0.8
"""Of a prompt of inference-perf's shared-prefix profiles: system prompt and earlier turns, which prefix caching finds.
Their times to the first token are those of about 100 new tokens."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is predicted for a row. None where the regime has no such number."""

    output_tokens_per_second: Range
    ttft_seconds: Range | None
    tpot_seconds: Range | None


@dataclass(frozen=True, kw_only=True)
class Question:
    """A row, as the model needs it, without the constants."""

    row: BenchRow
    works: tuple[StageWork, ...]
    instance: InstanceType
    peaks: PeakFlops
    layout: Layout
    options: ResolvedOptions
    replicas: int
    limits: Limits
    rests_on: Evidence
    machine: MeasuredMachine
    is_same_model: bool
    """Whether the facts are those of the row's own model, not of one of about its size."""

    def speed(self, constants: Constants) -> SpeedModel:
        """Return the speed model with these constants."""
        return SpeedModel.of_works(
            self.works, self.instance, self.peaks, self.layout, self.options, constants, self.rests_on
        )

    @property
    def lengths(self) -> Lengths:
        """The mean lengths of the row."""
        row = self.row
        share = MEAN_OF_DRAWN if DRAWN in row.notes else 1.0
        cached = _cached_tokens(row)
        return Lengths(
            input_tokens=row.input_len * share - cached,
            output_tokens=max(1.0, row.output_len * share),
            cached_tokens=cached,
        )


def _cached_tokens(row: BenchRow) -> float:
    """Return the prompt tokens that prefix caching finds, as far as the notes say it."""
    return row.input_len * CACHED_OF_TURNS if row.prefix_caching and "shared" in row.notes else 0.0


def question(row: BenchRow) -> Question | None:
    """Return the question of a row, or None for an unknown GPU."""
    found = machine_of(row.gpu, row.tp * row.pp)
    if found is None:
        return None
    instance, peaks = found
    model = model_of(row.model, row.weights_dtype, row.params_b, row.experts)
    layout, options, works, limits = _machine(
        model,
        instance,
        row.tp,
        row.pp,
        row.ep,
        bool(row.enforce_eager),
        "fp8" if _has_fp8_cache(row) else row.kv_dtype,
        row.max_num_batched_tokens,
        row.max_num_seqs,
        row.input_len + row.output_len / 2,
        row.version,
    )
    return Question(
        row=row,
        works=works,
        instance=instance,
        peaks=peaks,
        layout=layout,
        options=options,
        # Data parallel groups of one node share its GPUs; the others are replicas behind a proxy.
        replicas=max(1, row.gpus // (row.tp * row.pp)) if row.dp > 1 else 1,
        limits=limits,
        rests_on=evidence(model.facts, instance, tensor_parallel_size=row.tp, pipeline_parallel_size=row.pp),
        machine=machine(model.facts, instance, tensor_parallel_size=row.tp, pipeline_parallel_size=row.pp),
        is_same_model=model.is_same,
    )


def _has_fp8_cache(row: BenchRow) -> bool:
    return any((row.source, row.gpu, model) in FP8_CACHES for model in (None, row.base))


@cache
def _machine(
    model: RowModel,
    instance: InstanceType,
    tp: int,
    pp: int,
    ep: bool,
    eager: bool,
    kv_dtype: str,
    batch: int | None,
    seqs: int | None,
    context: float,
    version: tuple[int, int, int],
) -> tuple[Layout, ResolvedOptions, tuple[StageWork, ...], Limits]:
    requested = ServingOptions(
        max_model_len=ceil(context),
        kv_cache_dtype="fp8" if kv_dtype.startswith("fp8") else "auto",
        enable_expert_parallel=ep,
        enforce_eager=eager,
        max_num_batched_tokens=batch,
        max_num_seqs=min(seqs, batch) if seqs and batch else seqs,
        vllm_version=".".join(map(str, min(max(version, OLDEST_READ), NEWEST_READ))),
    )
    options = resolve(requested, instance, context_limit_tokens=1 << 24)
    layout = build_layout(model.facts, instance, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
    blocks = max(0, layout.blocks[1])
    length = ceil(context)
    kv_tokens = blocks / layout.cache.blocks_per_request(length, options) * length
    most = options.max_num_seqs if version >= (0, 8, 0) else min(options.max_num_seqs, seqs or OLD_MAX_NUM_SEQS)
    limits = Limits(
        max_num_seqs=most, max_num_batched_tokens=options.max_num_batched_tokens, kv_tokens=max(kv_tokens, context)
    )
    works = stage_works(model.facts, instance, layout, options)
    if model.scale != 1.0:
        works = tuple(_scaled(work, model.scale) for work in works)
    return layout, replace(options, version=version), works, limits


def _scaled(work: StageWork, scale: float) -> StageWork:
    def times(matrices: Matrices) -> Matrices:
        return replace(
            matrices,
            weight_bytes=matrices.weight_bytes * scale,
            flops_per_token=matrices.flops_per_token * scale,
        )

    return replace(work, dense=times(work.dense), experts=times(work.experts) if work.experts else None)


def predict(asked: Question, constants: Constants) -> Prediction:
    """Return the prediction of a row."""
    row, speed, lengths = asked.row, asked.speed(constants), asked.lengths
    if row.regime in ("static-batch", "burst"):
        return _batch(asked, speed)
    if row.rate and not row.concurrency:
        found = steady_rate(speed, requests_per_second=row.rate / asked.replicas, lengths=lengths, limits=asked.limits)
        return _prediction(found, asked.replicas, ends=_tail(row, found))
    concurrency = (row.concurrency or row.num_prompts or 1) / asked.replicas
    rounds = row.num_prompts / row.concurrency if row.num_prompts and row.concurrency else UNSAID_ROUNDS
    found = steady_state(speed, concurrency=concurrency, lengths=lengths, limits=asked.limits, rounds=max(1.0, rounds))
    return _prediction(found, asked.replicas, ends=1.0)


def _tail(row: BenchRow, found: Steady) -> float:
    """Return the share of a run's time in which requests arrive. At its end the last ones are answered."""
    if not row.num_prompts or not row.rate:
        return 1.0
    seconds = row.num_prompts / found.requests_per_second.best
    last = found.ttft_seconds.best + row.output_len * found.tpot_seconds.best
    return seconds / (seconds + last)


def _prediction(found: Steady, replicas: int, *, ends: float) -> Prediction:
    return Prediction(
        output_tokens_per_second=found.output_tokens_per_second * (replicas * ends),
        ttft_seconds=found.ttft_seconds,
        tpot_seconds=found.tpot_seconds,
    )


def _batch(asked: Question, speed: SpeedModel) -> Prediction:
    """Return the prediction of prompts that are all there at the start."""
    row, lengths, limits = asked.row, asked.lengths, asked.limits
    count = float(row.concurrency or row.num_prompts or limits.max_num_seqs)
    running = max(1.0, min(count, limits.max_num_seqs, limits.kv_tokens / lengths.mean_context_tokens))
    step = speed.step_seconds(
        StepBatch(decoding_requests=running, decoding_context_tokens=running * lengths.mean_context_tokens)
    )
    tokens = running * row.input_len
    chunks = max(1, ceil(tokens / limits.max_num_batched_tokens))
    prompts = chunks * speed.step_seconds(
        StepBatch(
            decoding_requests=0,
            decoding_context_tokens=0,
            prompt_tokens=tokens / chunks,
            prompt_context_tokens=tokens / chunks * row.input_len / 2,
            prompts=running / chunks,
        )
    )
    waves = max(1.0, count / running)
    seconds = waves * (prompts + (lengths.output_tokens - 1) * step)
    spread = asked.rests_on.spread
    return Prediction(
        output_tokens_per_second=spread.output * (count * lengths.output_tokens / seconds * asked.replicas),
        ttft_seconds=spread.ttft * (speed.answer_seconds + prompts / 2 + (waves - 1) / 2 * (seconds / waves)),
        tpot_seconds=spread.tpot * (step + prompts / 2 / lengths.output_tokens),
    )


def predict_all(rows: Iterable[BenchRow], constants: Constants | None = None) -> Mapping[str, Prediction]:
    """Return the prediction of each row by id. A row of an unknown GPU has none."""
    used = constants or known_constants()
    asked = {row.id: question(row) for row in rows}
    return {key: predict(one, used) for key, one in asked.items() if one is not None}
