"""Bring the oracle's answers to drawn questions into the form of its own table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SHARED = ("kv_cache_dtype", "expert_parallel", "max_num_batched_tokens", "max_num_seqs", "enforce_eager", "engine_args")
"""Fields that a job and a row of the table have in common."""

UNANSWERED = {
    "cannot be called on meta tensors": "the class reads values of tensors, and the oracle's have none",
    "failed to be inspected": "the class does not import beside the oracle's packages",
    "not supported by the Triton attention backend on NVIDIA A": "the oracle has no FlashInfer, and images do",
}
"""Words of an error that the oracle makes and a real vLLM does not -> the reason."""


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
            "vllm": answer["vllm"],
            "compute_capability": capabilities[job["gpu"]],
            **{key: job[key] for key in SHARED},
            "unanswered": _unanswered(answer),
            "layouts": [_layout(job, answer, config)],
        }


def _unanswered(answer: Mapping[str, Any]) -> str | None:
    error = answer.get("refused") or answer.get("kv_error") or ""
    return next((reason for words, reason in UNANSWERED.items() if words in error), None)


def _layout(job: Mapping[str, Any], answer: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    longest = (config.get("text_config") or config).get("max_position_embeddings") or job["max_model_len"]
    layout = {key: answer[key] for key in ("tp", "pp", "refused", "kv_error") if key in answer}
    layout["max_model_len"] = answer.get("max_model_len", min(job["max_model_len"], longest))  # as the oracle asks
    layout["stages"] = [{"parameter_and_buffer_bytes": stage["bytes"]} for stage in answer.get("stages", ())]
    if kv := answer.get("kv"):
        layout["kv"] = {
            "available_gib": kv["pool_gib"],
            "tokens_printed": kv["tokens"],
            "bytes_per_token_per_gpu_by_stage": kv["bytes_per_token_by_stage"],
        }
    return layout
