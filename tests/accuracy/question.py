"""A model of the oracle's table, and the GPU and the options with which it was asked."""

import json
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.accuracy.engine_args import counted, not_planned
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import KV_CACHE_DTYPES, ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.model_folder import read_model_folder
from vllm_eks.planner.vllm_version import parse_version

CAPABILITIES = {
    "T4": "7.5",
    "A100": "8.0",
    "A10G": "8.6",
    "L4": "8.9",
    "L40S": "8.9",
    "H100": "9.0",
    "B200": "10.0",
}
GPU_MEMORY_GIB = {
    "T4": 14.56,
    "A100": 39.4,
    "A10G": 21.98,
    "L4": 22.03,
    "L40S": 44.39,
    "H100": 79.1,
    "B200": 178.35,
}
"""The GPUs that the oracle fakes. A row without a GPU's name means the first one of its compute capability."""
GPUS_IN_A_NODE = 64
"""The oracle's vLLM believes that all ranks are in one node."""


@dataclass(frozen=True)
class Question:
    """One model of a table, with the options that all of its layouts share."""

    row: dict[str, Any]

    @cached_property
    def unmapped(self) -> str | None:
        """Why the planner cannot plan this model."""
        if self.gpu is None:
            return f"no GPU {self.row.get('gpu', '')} of compute capability {self.row['compute_capability']}"
        if self.row["kv_cache_dtype"] not in KV_CACHE_DTYPES:
            return f"the planner does not support a KV cache of {self.row['kv_cache_dtype']} yet"
        try:
            quantization = self.facts.architecture.quantization.method
        except WrongQuestion as error:
            return str(error).partition(": ")[2][:200]
        if self.arguments.get("enable_lora") and quantization == "mxfp4":
            return "vllm-eks refuses loraModules with experts, and those in MXFP4 run on other kernels with adapters"
        return not_planned(self.arguments, self.row["vllm"], quantization)

    @cached_property
    def facts(self) -> ModelFacts:
        """What the planner reads from the row's config.json."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("config", "hf_quant_config"):
                if name in self.row:
                    (Path(folder) / f"{name}.json").write_text(json.dumps(self.row[name]))
            return read_model_folder(Path(folder))

    @property
    def gpu(self) -> str | None:
        """The GPU that the oracle faked, or None for one that it cannot."""
        capability = self.row["compute_capability"]
        if self.row.get("gpu") in CAPABILITIES:
            return self.row["gpu"]
        return next((gpu for gpu, one in CAPABILITIES.items() if one == capability), None)

    @cached_property
    def machine(self) -> InstanceType:
        gpu = self.gpu or ""
        return InstanceType(
            type=gpu,
            gpu=gpu,
            gpus=GPUS_IN_A_NODE,
            gpu_memory_gib=GPU_MEMORY_GIB[gpu],
            compute_capability=CAPABILITIES[gpu],
            memory_gib=4096,
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
            decode_context_parallel_size=self.arguments.get("decode_context_parallel_size", 1),
            max_loras=self.arguments.get("max_loras", 1) if self.arguments.get("enable_lora") else 0,
            max_lora_rank=self.arguments.get("max_lora_rank", 16),
            vllm_version=self.row["vllm"],
            flags=counted(self.arguments, self.row["vllm"]),
        )
        return resolve(requested, self.machine, context_limit_tokens=limit)
