"""Reports of real start-ups of vLLM, and the corresponding input for the planner.

A table is a folder with `cases.jsonl` and the config of each model. Rows with vLLM before 0.8 (the V0 engine) are
listed separately. Rows that cannot be planned are listed with the reason.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.stages import Layout, build_layout
from vllm_eks.planner.models.known_models import ModelFacts, find_model
from vllm_eks.planner.models.lock_folders import lock_file
from vllm_eks.planner.models.vllm_classes import first_release
from vllm_eks.planner.search.fit import check_version
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.model_folder import read_model_folder
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.vllm_version import Version, parse_version

RUNS = Path(__file__).parents[1] / "data" / "vllm_runs"
UNKNOWN_VERSION: Version = (0, 11, 0)
"""The version of a row without one, or else the first that serves the model: similar reports have 0.11.0."""
V0_WITHOUT_SAYING_SO = {
    "S19": "its error is V0's: max seq len above the tokens of 507 blocks",
    "S24": "sibling of S23: a longer max_model_len leaves less KV cache, as in V0 only",
}


@dataclass(frozen=True)
class Run:
    """One report."""

    row: dict[str, Any]
    folder: Path = RUNS

    @property
    def id(self) -> str:
        return self.row["id"]

    @property
    def truth(self) -> dict[str, Any]:
        return self.row["truth"]

    @property
    def started(self) -> bool:
        return self.truth["outcome"] == "ok"

    @property
    def source(self) -> str:
        """The source of the report, without the record. Rows from the same source share a machine or an author."""
        return self.row.get("public_source", self.row["source"]).partition(" record ")[0]

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
        """Why the planner cannot plan this run."""
        row = self.row
        if row["not_a_sizing_question"]:
            return f"not a sizing question: {row['not_a_sizing_question']}"
        if row["speculative"]:
            return f"speculative decoding ({row['speculative']}): the draft model and its tokens are not in the report"
        if row["tp"] > row["gpus"] // row["nodes"]:
            return f"TP={row['tp']} over {row['nodes']} nodes: the planner keeps tensor parallelism in one"
        if row["dp"] > 1 or row["cpu_offload_gb"] or row["online_quantization"]:
            return "data parallelism, CPU offload or quantization while loading, which the planner does not plan"
        if self.has_name_only and not lock_file(row["model"]):
            return "its config has only the name of the architecture"
        try:
            check_version(self.model, self.options)
        except WrongQuestion as error:
            return str(error).partition(": ")[2] or str(error)
        return None

    @property
    def config_folder(self) -> Path:
        return self.folder / self.row["config_dir"]

    @cached_property
    def has_name_only(self) -> bool:
        """Whether the table has no facts of the model. If the model is locked, its lock file has them."""
        return json.loads((self.config_folder / "config.json").read_text()).keys() <= {"architectures"}

    @cached_property
    def model(self) -> ModelFacts:
        return find_model(self.row["model"]) if self.has_name_only else read_model_folder(self.config_folder)

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
    def version(self) -> str:
        if self.before_0_8:
            return "0.8.0"
        since = self.model.architecture.since
        printed = self.row["vllm_version"]
        if not printed:
            return ".".join(map(str, max(UNKNOWN_VERSION, since)))
        since = max(since, first_release(self.model.architecture.name))
        # A build between two releases, such as 0.18.2rc1.dev73, has architectures of the next one.
        is_development = ".dev" in (self.truth["note"] or "")
        return ".".join(map(str, max(parse_version(printed), since))) if is_development else printed

    @property
    def requested(self) -> ServingOptions:
        row = self.row
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
            limit_mm_per_prompt=dict.fromkeys(("image", "video"), 0) if row["language_model_only"] else None,
            decode_context_parallel_size=row["decode_context_parallel_size"],
            vllm_version=self.version,
        )

    @cached_property
    def options(self) -> ResolvedOptions:
        return resolve(self.requested, self.machine, context_limit_tokens=self.row["max_model_len"])

    @cached_property
    def layout(self) -> Layout:
        row = self.row
        return build_layout(
            self.model,
            self.machine,
            self.options,
            tensor_parallel_size=row["tp"],
            pipeline_parallel_size=row["pp"],
        )

    @cached_property
    def plan(self) -> Plan:
        return try_layouts(self.model, self.machine, self.requested)

    def at_utilization(self, utilization: float) -> "Run":
        """Return the same start-up with another --gpu-memory-utilization."""
        return Run({**self.row, "gpu_memory_utilization": utilization}, self.folder)


def read_runs(folder: Path = RUNS) -> list[Run]:
    """Return every report of a table."""
    return [Run(json.loads(line), folder) for line in (folder / "cases.jsonl").read_text().splitlines() if line]
