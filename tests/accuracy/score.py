"""Score the planner on start-ups that people reported: `make accuracy`.

Rows that ran on vLLM before 0.8 (the V0 engine) are shown apart; rows that cannot be mapped are listed with the reason.
A row whose version is unknown is scored as 0.11.0: its defaults are those before 0.20, and sibling reports name 0.11.0.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.stages import Layout, build_layout
from vllm_eks.planner.models.known_models import ModelFacts, read_model_folder
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.units import BYTES_PER_GIB, gib

RUNS = Path(__file__).parents[1] / "data" / "vllm_runs"
UNKNOWN_VERSION = "0.11.0"
V0_WITHOUT_SAYING_SO = {
    "S19": "its error is V0's: max seq len above the tokens of 507 blocks",
    "S24": "sibling of S23: a longer max_model_len leaves less KV cache, as in V0 only",
}


@dataclass(frozen=True)
class Run:
    """One report."""

    row: dict[str, Any]

    @property
    def id(self) -> str:
        return self.row["id"]

    @property
    def truth(self) -> dict[str, Any]:
        return self.row["truth"]

    @property
    def before_0_8(self) -> str | None:
        """Why the run belongs to the V0 engine."""
        version = self.row["vllm_version"]
        if version and tuple(map(int, version.split(".")[:2])) < (0, 8):
            return f"vLLM {version}"
        note = self.truth["note"] or ""
        if not version and ("V0:" in note or note.endswith("V0")):
            return "its note says V0"
        return V0_WITHOUT_SAYING_SO.get(self.id)

    @cached_property
    def unmapped(self) -> str | None:
        """Why the planner cannot be asked about this run."""
        row = self.row
        if row["not_a_sizing_question"]:
            return row["not_a_sizing_question"]
        if row["speculative"]:
            return f"speculative decoding ({row['speculative']}) adds a draft layer, which the planner does not plan"
        if row["tp"] > row["gpus"] // row["nodes"]:
            return f"TP={row['tp']} over {row['nodes']} nodes: the planner keeps tensor parallelism in one"
        try:
            _ = self.model
        except WrongQuestion as error:
            return str(error).partition(";")[0].partition(": ")[2]
        return None

    @cached_property
    def model(self) -> ModelFacts:
        return read_model_folder(RUNS / self.row["config_dir"])

    @property
    def machine(self) -> InstanceType:
        row = self.row
        return InstanceType(
            type=row["gpu_class"],
            gpu=row["gpu_class"],
            gpus=row["gpus"] // row["nodes"],
            gpu_memory_gib=row["gpu_reported_gib"],
            compute_capability=f"{row['gpu_sm'] // 10}.{row['gpu_sm'] % 10}",
        )

    @property
    def requested(self) -> ServingOptions:
        row = self.row
        version = row["vllm_version"] or UNKNOWN_VERSION
        return ServingOptions(
            tensor_parallel_size=row["tp"],
            pipeline_parallel_size=row["pp"],
            max_model_len=row["max_model_len"],
            gpu_memory_utilization=row["gpu_memory_utilization"],
            max_num_seqs=row["max_num_seqs"],
            max_num_batched_tokens=row["max_num_batched_tokens"],
            kv_cache_dtype=row["kv_cache_dtype"],
            enforce_eager=row["enforce_eager"],
            enable_expert_parallel=row["enable_expert_parallel"],
            decode_context_parallel_size=row["decode_context_parallel_size"],
            vllm_version="0.8.0" if self.before_0_8 else version,
        )


@dataclass(frozen=True)
class Score:
    """What the planner says of a run beside what vLLM said."""

    run: Run
    layout: Layout
    options: ResolvedOptions
    fits: bool

    @property
    def weights_gib(self) -> float:
        return gib(self.layout.tightest.loaded_bytes)

    @property
    def kv_gib(self) -> tuple[float, float, float]:
        kv = self.layout.tightest.kv_cache
        return gib(kv.low), gib(kv.best), gib(kv.high)

    @property
    def tokens(self) -> tuple[int, int, int]:
        low, best, high = (self.layout.cache.printed_tokens(blocks, self.options) for blocks in self.layout.blocks)
        return low, best, high

    @property
    def weights_error(self) -> float | None:
        """Relative; None where the size comes from the row itself, or is not logged."""
        logged = self.run.truth["weights_gib_per_gpu"]
        if not logged or self.run.row["weights_source"] == "this run":
            return None
        return self.weights_gib / logged - 1

    @property
    def tokens_of_logged_gib_error(self) -> float | None:
        """How far the tokens computed from the logged KV GiB are from the logged tokens."""
        logged_gib, logged = self.run.truth["kv_cache_gib_per_gpu"], self.run.truth["kv_cache_tokens"]
        if not logged or not logged_gib or logged_gib <= 0:
            return None
        blocks = self.layout.tightest.blocks(logged_gib * BYTES_PER_GIB)
        return self.layout.cache.printed_tokens(blocks, self.options) / logged - 1

    @property
    def truth_and_range(self) -> tuple[float, tuple[float, float, float]] | None:
        """The logged KV cache and ours: in tokens, or in GiB where no tokens were logged."""
        if self.run.truth["kv_cache_tokens"]:
            return self.run.truth["kv_cache_tokens"], self.tokens
        if self.run.truth["kv_cache_gib_per_gpu"]:
            return self.run.truth["kv_cache_gib_per_gpu"], self.kv_gib
        return None

    @property
    def kv_error(self) -> float | None:
        """Relative error of the KV tokens, or GiB; None where there was no room at all."""
        found = self.truth_and_range
        return found[1][1] / found[0] - 1 if found and found[0] > 0 else None

    @property
    def in_range(self) -> bool | None:
        found = self.truth_and_range
        return found[1][0] <= found[0] <= found[1][2] if found else None

    @property
    def half_width(self) -> float | None:
        found = self.truth_and_range
        return (found[1][2] - found[1][0]) / 2 / found[1][1] if found and found[1][1] > 0 else None

    @property
    def verdict(self) -> str:
        started = self.run.truth["outcome"] == "ok"
        if started == self.fits:
            return "right"
        return "too cautious" if started else "WRONG: called a fit"


def runs() -> list[Run]:
    """Return every report."""
    return [Run(json.loads(line)) for line in (RUNS / "cases.jsonl").read_text().splitlines()]


def score(run: Run) -> Score:
    """Return the planner's answer to a run that can be mapped."""
    row, machine = run.row, run.machine
    options = resolve(run.requested, machine, context_limit_tokens=row["max_model_len"])
    layout = build_layout(run.model, machine, options, tensor_parallel_size=row["tp"], pipeline_parallel_size=row["pp"])
    return Score(run=run, layout=layout, options=options, fits=try_layouts(run.model, machine, run.requested).fits)


def scored() -> tuple[list[Score], list[Score], list[Run]]:
    """Return the scores, those of the V0 engine apart, and the runs that cannot be mapped."""
    mapped = [run for run in runs() if run.unmapped is None]
    new = [score(run) for run in mapped if run.before_0_8 is None]
    old = [score(run) for run in mapped if run.before_0_8 is not None]
    return new, old, [run for run in runs() if run.unmapped is not None]


def worst(errors: list[float | None]) -> float:
    """Return the largest deviation among those that are known."""
    return max(abs(error) for error in errors if error is not None)


def middle(errors: list[float | None]) -> float:
    """Return the median deviation among those that are known."""
    return median(abs(error) for error in errors if error is not None)
