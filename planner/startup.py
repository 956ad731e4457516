"""The start-time budget: seconds from a pod that is scheduled to the first token.

One number; the startup probe, the hook Job and the Release timeout all come from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

GB = 10**9

IMAGE_GB = 15.0
"""Compressed size of a vLLM container with CUDA 13, upper end of 9 to 15 GB."""
IMAGE_PULL_GB_PER_SECOND = 0.1
"""Without a parallel snapshotter. EKS user guide: 8.8 GB in 48 s (0.18 GB/s) with one."""
HUB_GB_PER_SECOND = 0.4
"""Hugging Face Hub to local NVMe through NAT, lower end of 0.4 to 1.5 GB/s (huggingface_hub PR 2989)."""
LOAD_GB_PER_SECOND = 0.3
"""vLLM's default safetensors loader, even from fast disks (run-ai benchmarks: 15 GB in 48 s)."""
S3_GB_PER_SECOND = 2.1
"""S3 straight to the GPUs with vLLM's runai_streamer: lower of 2.1 (20 Gb line, EKS user guide) and 3.1 (run-ai)."""
COMPILE_SECONDS = 180
"""torch.compile and CUDA graphs, cold: 53-80 s on one GPU, 1-3 min estimated for several (EKS user guide)."""
MARGIN = 1.25
"""A start that is merely slow must not be killed: every rate above is already a lower end."""
ROUND_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class StartupBudget:
    """The budget and the steps it is made of, in seconds."""

    steps_seconds: Mapping[str, float]
    budget_seconds: int
    other_ways_seconds: Mapping[str, float]
    """What the same start would take with the weights elsewhere, margin aside."""


def startup_budget(*, weights_bytes: int, network_gbps: float | None) -> StartupBudget:
    """Return how long a replica may take to its first token.

    Every node fetches the whole repository: vLLM downloads it before the ranks pick their shards.

    Args:
        weights_bytes: Size of the checkpoint.
        network_gbps: Baseline bandwidth of the instance in gigabit per second, if known.
    """
    line_gb_per_second = (network_gbps or 10.0) / 8
    weights_gb = weights_bytes / GB
    steps = {
        "pull the image": IMAGE_GB / min(IMAGE_PULL_GB_PER_SECOND, line_gb_per_second),
        "fetch the weights": weights_gb / min(HUB_GB_PER_SECOND, line_gb_per_second),
        "load the weights": weights_gb / LOAD_GB_PER_SECOND,
        "compile and capture": float(COMPILE_SECONDS),
    }
    total = sum(steps.values()) * MARGIN
    rest = steps["pull the image"] + COMPILE_SECONDS
    return StartupBudget(
        steps_seconds=steps,
        budget_seconds=ceil(total / ROUND_SECONDS) * ROUND_SECONDS,
        other_ways_seconds={
            "streamed from S3": rest + weights_gb / min(S3_GB_PER_SECOND, line_gb_per_second),
            "from this node's NVMe again": COMPILE_SECONDS + weights_gb / LOAD_GB_PER_SECOND,
        },
    )
