"""Bring the oracle's answers to drawn questions into the form of its own table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vllm_eks.planner.models.quantization_config import QUANTIZATION_FILE, SEPARATE_QUANTIZATION

SHARED = ("kv_cache_dtype", "expert_parallel", "max_num_batched_tokens", "max_num_seqs", "enforce_eager", "engine_args")
"""Fields that a job and a row of the table have in common."""


def drawn_rows(
    answers: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]], capabilities: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield a row of one layout for each answer.

    Args:
        answers: What the oracle wrote.
        jobs: What it was asked; the answers have their numbers.
        capabilities: GPU name -> compute capability.
    """
    for answer in answers:
        job = jobs[answer["number"]]
        config = json.loads((Path(job["model"]) / "config.json").read_text())
        yield {
            "model": f"{job['name']}#{answer['number']}",
            "config": config,
            **_separate_quantization(Path(job["model"])),
            "vllm": answer["vllm"],
            "gpu": job["gpu"],
            "compute_capability": capabilities.get(job["gpu"], "unknown"),
            **{key: job[key] for key in SHARED},
            "layouts": [_layout(job, answer, config)],
        }


def _separate_quantization(folder: Path) -> dict[str, Any]:
    file = folder / QUANTIZATION_FILE
    return {SEPARATE_QUANTIZATION: json.loads(file.read_text())} if file.exists() else {}


def _layout(job: Mapping[str, Any], answer: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    longest = (config.get("text_config") or config).get("max_position_embeddings") or job["max_model_len"]
    layout = {key: answer[key] for key in ("tp", "pp", "refused", "kv_error") if key in answer}
    layout["max_model_len"] = answer.get("max_model_len", min(job["max_model_len"], longest))  # as the oracle asks
    layout["pool_gib"] = job.get("pool_gib", 8.0)
    layout["stages"] = [{"parameter_and_buffer_bytes": stage["bytes"]} for stage in answer.get("stages", ())]
    if kv := answer.get("kv"):
        layout["kv"] = {
            "available_gib": kv["pool_gib"],
            "tokens_printed": kv["tokens"],
            "bytes_per_token_per_gpu_by_stage": kv["bytes_per_token_by_stage"],
        }
    return layout
