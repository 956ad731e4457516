"""Scores the planner against vLLM's own classes: `make oracle`.

A row is one layout of one model. It has the weights of vLLM's classes on each pipeline stage before
`process_weights_after_loading`, and the blocks and tokens that they create from a given KV-cache pool.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.accuracy.drawn import drawn_rows
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.engine_flags import AUTO, EngineFlags
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.engine.validity import rule_refusals
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.mxfp4 import expert_growth, triton_growth
from vllm_eks.planner.memory.rank_weights import expert_share
from vllm_eks.planner.memory.stages import Layout, Stage, build_layout
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.layer_weights import absorbed_bytes
from vllm_eks.planner.search.fit import check_version, context_refusals
from vllm_eks.planner.search.model_folder import read_model_folder
from vllm_eks.planner.search.start_rules import batch_refusal
from vllm_eks.planner.units import BYTES_PER_GIB
from vllm_eks.planner.vllm_version import parse_version

TESTED = Path(__file__).parents[1] / "data" / "oracle"
"""The part of the table that the tests use."""
BESIDE = Path(__file__).parents[2].parent / "shared" / "vllm-lab" / "data" / "oracle.json"
"""The whole table, if there is one."""
KNOWN_WITHIN, ESTIMATED_WITHIN = 0.005, 0.02
"""Largest relative deviation of a stage's weights, for families and for other architectures."""
GPUS = {
    "7.5": ("T4", 14.56),
    "8.0": ("A100", 39.4),
    "8.6": ("A10G", 21.98),
    "8.9": ("L4", 22.03),
    "9.0": ("H100", 79.1),
    "10.0": ("B200", 178.35),
}
"""Name and memory in GiB by compute capability."""
POOL_GIB = 8.0
TOO_SMALL_A_POOL = "To serve at least one request"
"""vLLM's words when one request needs more than the pool, which no rule but the memory decides."""


@dataclass(frozen=True)
class Question:
    """One model of a table, with the options that all of its layouts share."""

    row: dict[str, Any]

    @cached_property
    def unmapped(self) -> str | None:
        """Why the planner cannot plan this model."""
        if self.row["compute_capability"] not in GPUS:
            return f"no GPU of compute capability {self.row['compute_capability']}"
        if self.row.get("unanswered"):
            return self.row["unanswered"]
        try:
            _ = self.facts
        except WrongQuestion as error:
            return str(error).partition(": ")[2][:200]
        return None

    @cached_property
    def facts(self) -> ModelFacts:
        """What the planner reads from the row's config.json."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("config", "hf_quant_config"):
                if name in self.row:
                    (Path(folder) / f"{name}.json").write_text(json.dumps(self.row[name]))
            return read_model_folder(Path(folder))

    @cached_property
    def machine(self) -> InstanceType:
        capability = self.row["compute_capability"]
        gpu, memory_gib = GPUS[capability]
        return InstanceType(
            type=gpu, gpu=gpu, gpus=8, gpu_memory_gib=memory_gib, compute_capability=capability, memory_gib=4096
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """Further arguments of EngineArgs, under vLLM's names."""
        return self.row.get("engine_args", {})

    def options(self, layout: dict[str, Any]) -> ResolvedOptions:
        limit = self.facts.architecture.context_limit(parse_version(self.row["vllm"]))
        requested = ServingOptions(
            max_model_len=layout.get("max_model_len"),
            max_num_seqs=self.row["max_num_seqs"],
            max_num_batched_tokens=self.row["max_num_batched_tokens"],
            kv_cache_dtype=self.row["kv_cache_dtype"],
            enforce_eager=self.row.get("enforce_eager", False),
            enable_expert_parallel=self.row["expert_parallel"],
            enable_prefix_caching=self.arguments.get("enable_prefix_caching"),
            limit_mm_per_prompt=self.arguments.get("limit_mm_per_prompt"),
            vllm_version=self.row["vllm"],
            flags=EngineFlags(
                dtype=self.arguments.get("dtype", AUTO),
                block_tokens=self.arguments.get("block_size"),
                state_dtype=self.arguments.get("mamba_ssm_cache_dtype", AUTO),
                language_model_only=self.arguments.get("language_model_only", False),
            ),
        )
        return resolve(requested, self.machine, context_limit_tokens=limit)


@dataclass(frozen=True)
class Answer:
    """The results of the planner and of vLLM for one layout."""

    question: Question
    truth: dict[str, Any]

    @property
    def name(self) -> str:
        row = self.question.row
        return f"{row['model'].rpartition('/')[2][:36]} sm{row['compute_capability']} {row['vllm']}"

    @property
    def label(self) -> str:
        return f"TP={self.truth['tp']} PP={self.truth['pp']}"

    @cached_property
    def options(self) -> ResolvedOptions:
        return self.question.options(self.truth)

    @cached_property
    def layout(self) -> Layout:
        tp, pp = self.truth["tp"], self.truth["pp"]
        facts, machine = self.question.facts, self.question.machine
        return build_layout(facts, machine, self.options, tensor_parallel_size=tp, pipeline_parallel_size=pp)

    @cached_property
    def refusal(self) -> str | None:
        """Why the planner refuses the layout, apart from its memory."""
        facts, machine, options = self.question.facts, self.question.machine, self.options
        try:
            check_version(facts, options)
        except WrongQuestion as error:
            return str(error)
        tp, pp = self.truth["tp"], self.truth["pp"]
        rules = rule_refusals(facts.architecture, machine, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
        batch = batch_refusal(facts, machine.sm, options, tensor_parallel_size=tp)
        found = (*context_refusals(facts, options), *rules, *([batch] if batch else []))
        return next((refusal.message for refusal in found), None)

    @property
    def refused_by_vllm(self) -> str | None:
        """Why vLLM would not start, apart from its memory."""
        error = self.truth.get("kv_error")
        return self.truth.get("refused") or (error if error and TOO_SMALL_A_POOL not in error else None)

    @cached_property
    def weights(self) -> list[tuple[float, float]]:
        """Bytes of each stage: the planner's and vLLM's."""
        architecture, tp = self.question.facts.architecture, self.truth["tp"]
        found = []
        for stage, truth in zip(self.layout.stages, self.truth["stages"], strict=True):
            later = absorbed_bytes(architecture) / tp * stage.layers + self._padding_bytes(stage)
            found.append((stage.loaded_bytes - later, float(truth["parameter_and_buffer_bytes"])))
        return found

    def _padding_bytes(self, stage: Stage) -> float:
        """Return what Marlin adds to MXFP4 experts on Hopper, beyond Triton's kernels, which the oracle's vLLM runs."""
        facts, tp = self.question.facts, self.truth["tp"]
        experts = facts.architecture.experts
        if self.question.row["compute_capability"] != "9.0" or experts is None:
            return 0.0
        shards = 1 if self.options.enable_expert_parallel else tp
        growth = expert_growth(facts.architecture, 90, shards, self.options.version)
        growth -= triton_growth(facts.architecture, shards)
        held = sum(facts.parts.layers[index].expert_bytes for index in stage.layer_range)
        return held * expert_share(experts.count, tp, self.options) * growth

    @property
    def weights_error(self) -> float:
        """Relative error of the stage with the largest one."""
        return max((ours / theirs - 1 for ours, theirs in self.weights), key=abs)

    @property
    def token_bytes(self) -> tuple[list[int], list[int]] | None:
        """KV-cache bytes per token of each stage: the planner's and vLLM's."""
        if "kv" not in self.truth:
            return None
        ours = [stage.kv_bytes_per_token for stage in self.layout.stages]
        return ours, [round(one) for one in self.truth["kv"]["bytes_per_token_per_gpu_by_stage"]]

    @property
    def blocks(self) -> int:
        """Blocks that the planner makes of the pool."""
        kv = self.truth.get("kv", {})
        pool_bytes = kv.get("available_gib", POOL_GIB) * BYTES_PER_GIB
        return min(stage.blocks(pool_bytes) for stage in self.layout.stages)

    @property
    def tokens(self) -> tuple[int, int | None]:
        """Tokens in the pool: the planner's, 0 when one request does not fit, and vLLM's, None without an answer."""
        needed = self.layout.cache.blocks_per_request(self.options.max_model_len, self.options)
        needed += self.layout.cache.reserved_blocks(self.options.version)
        ours = self.layout.cache.printed_tokens(self.blocks, self.options) if self.blocks >= needed else 0
        if "kv" in self.truth:
            return ours, self.truth["kv"]["tokens_printed"]
        return ours, 0 if TOO_SMALL_A_POOL in (self.truth.get("kv_error") or "") else None

    @cached_property
    def disagreements(self) -> tuple[str, ...]:
        """The differences that are larger than allowed."""
        if (self.refusal is None) != (self.refused_by_vllm is None):
            return ("start",)
        if self.refused_by_vllm:
            return ()
        found = []
        known = self.question.facts.architecture.confidence == "known"
        if abs(self.weights_error) > (KNOWN_WITHIN if known else ESTIMATED_WITHIN):
            found.append("weights")
        if self.token_bytes and self.token_bytes[0] != self.token_bytes[1]:
            found.append("KV bytes")
        ours, theirs = self.tokens
        if theirs is not None and ours != theirs:
            found.append("tokens")
        return tuple(found)


def questions(table: Path) -> list[Question]:
    """Return the models of a table, or those of answers to drawn questions, which have their jobs.json beside them."""
    document: Any = json.loads(table.read_text())
    if not isinstance(document, list):
        return [Question(row) for row in document["models"]]
    jobs = json.loads((table.parent / "jobs.json").read_text())
    capabilities = {name: capability for capability, (name, _) in GPUS.items()}
    return [Question(row) for row in drawn_rows(document, jobs, capabilities)]


def answers(asked: list[Question]) -> Iterator[Answer]:
    """Yield each layout of the models that can be mapped."""
    for question in asked:
        if question.unmapped is None:
            yield from (Answer(question, layout) for layout in question.row["layouts"])
