"""The start-time budget: seconds from the scheduling of a pod to the first token.

The startup probe, the hook Job and the Release timeout are all derived from this one number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

GB = 10**9

HUGGING_FACE, S3 = "huggingFace", "s3"
"""Where vLLM gets the weights: the Hub, through the node's disk, or S3, streamed into the GPUs."""

IMAGE_GB = 15.0
"""Compressed size of a vLLM image with CUDA 13, the upper end of 9 to 15 GB."""
IMAGE_PULL_GB_PER_SECOND = 0.1
"""A low estimate. EKS user guide: 8.8 GB in 48 s (0.18 GB/s) with parallel pull, which our GPU nodes use."""
HUB_GB_PER_SECOND = 0.4
"""Hugging Face Hub to local NVMe through NAT, the lower end of 0.4 to 1.5 GB/s (huggingface_hub PR 2989)."""
LOAD_GB_PER_SECOND = 0.3
"""vLLM's default safetensors loader, even from fast disks (run-ai benchmarks: 15 GB in 48 s)."""
S3_GB_PER_SECOND = 2.1
"""S3 to the GPUs with vLLM's runai_streamer: the lower of 2.1 (20 Gbit/s, EKS user guide) and 3.1 (run-ai)."""
COPY_GB_PER_SECOND = 0.08
"""Hub to S3 through one system node. An m7i.large has a baseline of 0.78 Gbit/s (0.098 GB/s) and bursts up to 12.5
Gbit/s (general knowledge)."""
COMPILE_SECONDS = 180
"""torch.compile and CUDA graphs with a cold cache: 53-80 s on one GPU, an estimated 1-3 min on several (EKS user
guide)."""
MARGIN = 1.25
"""Extra margin, on top of the low rates above, so that a slow start is not killed."""
ROUND_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class StartupBudget:
    """The budget and its steps, in seconds."""

    steps_seconds: Mapping[str, float]
    budget_seconds: int
    other_ways_seconds: Mapping[str, float]
    """Start times with other weight sources, without the margin."""
    copy_seconds: int
    """Time allowed for the copy from the Hub to S3."""


def startup_budget(
    *, weights_bytes: int, network_gbps: float | None, weights_source: str = HUGGING_FACE, readers: int = 1
) -> StartupBudget:
    """Return the time allowed for a replica to return its first token.

    With the Hub, every node downloads the whole repository, because vLLM downloads it before the ranks pick their
    shards.

    Args:
        weights_bytes: Size of the checkpoint.
        network_gbps: Baseline bandwidth of the instance in gigabit per second, if known.
        weights_source: HUGGING_FACE or S3.
        readers: How many times a node reads the whole checkpoint from S3. Ranks that share reads read it once.
    """
    line_gb_per_second = (network_gbps or 10.0) / 8
    weights_gb = weights_bytes / GB
    image = {"pull the image": IMAGE_GB / min(IMAGE_PULL_GB_PER_SECOND, line_gb_per_second)}
    load = {"load the weights": weights_gb / LOAD_GB_PER_SECOND}
    compiling = {"compile and capture": float(COMPILE_SECONDS)}
    from_hub = {
        **image,
        "fetch the weights": weights_gb / min(HUB_GB_PER_SECOND, line_gb_per_second),
        **load,
        **compiling,
    }
    streamed = weights_gb * readers / min(S3_GB_PER_SECOND, line_gb_per_second)
    from_s3 = {**image, "stream the weights": streamed, **compiling}
    steps = from_s3 if weights_source == S3 else from_hub
    others = {
        "from the Hub": sum(from_hub.values()),
        "streamed from S3": sum(from_s3.values()),
        "from this node's NVMe again": sum(load.values()) + COMPILE_SECONDS,
    }
    del others["streamed from S3" if weights_source == S3 else "from the Hub"]
    return StartupBudget(
        steps_seconds=steps,
        budget_seconds=_rounded(sum(steps.values()) * MARGIN),
        other_ways_seconds=others,
        copy_seconds=_rounded(weights_gb / COPY_GB_PER_SECOND * MARGIN) + 10 * ROUND_SECONDS,
    )


def _rounded(seconds: float) -> int:
    return ceil(seconds / ROUND_SECONDS) * ROUND_SECONDS
