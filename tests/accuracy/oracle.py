"""Scores the planner against vLLM's own classes: `make oracle`.

A row is one layout of one model. It has the weights of vLLM's classes on each pipeline stage before
`process_weights_after_loading`, and the blocks and tokens that they create from a given KV-cache pool.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.accuracy.artefacts import unanswered
from tests.accuracy.before_loading import bytes_of_loading
from tests.accuracy.drawn import drawn_rows
from tests.accuracy.engine_args import prefill_refusal
from tests.accuracy.question import CAPABILITIES, Question
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.validity import rule_refusals
from vllm_eks.planner.memory.stages import Layout, build_layout
from vllm_eks.planner.search.fit import check_version, context_refusals
from vllm_eks.planner.search.start_rules import batch_refusal
from vllm_eks.planner.units import BYTES_PER_GIB

TESTED = Path(__file__).parents[1] / "data" / "oracle"
"""The part of the table that the tests use."""
BESIDE = Path(__file__).parents[2].parent / "shared" / "vllm-lab" / "data" / "oracle.json"
"""The whole table, if there is one."""
KNOWN_WITHIN, ESTIMATED_WITHIN = 0.005, 0.02
"""Largest relative deviation of a stage's weights, for families and for other architectures."""
POOL_GIB = 8.0
TOO_SMALL_A_POOL = "To serve at least one request"
"""vLLM's words when one request needs more than the pool, which no rule but the memory decides."""


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
        facts, machine = self.question.facts, self.question.machine
        try:
            options = self.options
            check_version(facts, options)
        except WrongQuestion as error:
            return str(error)
        if prefill := prefill_refusal(self.question.arguments, options):
            return prefill
        tp, pp = self.truth["tp"], self.truth["pp"]
        rules = rule_refusals(facts.architecture, machine, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
        batch = batch_refusal(facts, machine.sm, options, tensor_parallel_size=tp)
        found = (*context_refusals(facts, options), *rules, *([batch] if batch else []))
        return next((refusal.message for refusal in found), None)

    @property
    def unanswered(self) -> str | None:
        """Why the oracle cannot tell whether vLLM starts, where its answer differs from the planner's."""
        return unanswered(self.refusal, self.refused_by_vllm)

    @property
    def refused_by_vllm(self) -> str | None:
        """Why vLLM would not start, apart from its memory."""
        error = self.truth.get("kv_error")
        return self.truth.get("refused") or (error if error and TOO_SMALL_A_POOL not in error else None)

    @cached_property
    def weights(self) -> list[tuple[float, float]]:
        """Bytes of each stage: the planner's and vLLM's."""
        facts, sm, tp = self.question.facts, self.question.machine.sm, self.truth["tp"]
        found = []
        for stage, truth in zip(self.layout.stages, self.truth["stages"], strict=True):
            later = bytes_of_loading(facts, stage, self.options, sm, tp)
            found.append((stage.loaded_bytes - later, float(truth["parameter_and_buffer_bytes"])))
        return found

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
        if self.options.flags.num_gpu_blocks:
            return self.options.flags.num_gpu_blocks
        kv = self.truth.get("kv", {})
        pool_bytes = kv.get("available_gib", self.truth.get("pool_gib", POOL_GIB)) * BYTES_PER_GIB
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
        if self.unanswered:
            return ()
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
    return [Question(row) for row in drawn_rows(document, jobs, CAPABILITIES)]


def answers(asked: list[Question]) -> Iterator[Answer]:
    """Yield each layout of the models that can be mapped."""
    for question in asked:
        if question.unmapped is None:
            yield from (Answer(question, layout) for layout in question.row["layouts"])
