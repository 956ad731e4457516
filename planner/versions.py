"""vLLM versions: which one a plan speaks of, and at which version a rule came or went.

Read from the wheels of vLLM 0.8.5 to 0.33.0, one patch release per minor; "since 0.20" means in 0.20.2 and
not in 0.19.1.
"""

import re

from planner.faults import WrongQuestion

Version = tuple[int, int, int]

DEFAULT_IMAGE = "public.ecr.aws/deep-learning-containers/vllm:0.21.0-gpu-py312-cu130-ubuntu22.04-ec2-v1.0-soci"
"""AWS Deep Learning Container with the EFA libraries; the tag that the EKS documentation names."""

OLDEST: Version = (0, 10, 0)
NEWEST_READ: Version = (0, 33, 0)

NATIVE_MULTI_NODE: Version = (0, 11, 1)
"""`--nnodes --node-rank --master-addr --headless` exist since this version."""
CUDA_GRAPHS_IN_BUDGET: Version = (0, 20, 0)
"""Since then the CUDA-graph estimate is subtracted before the KV cache is sized."""
UTILIZATION_RAISED: Version = (0, 20, 0)
"""The default of --gpu-memory-utilization went from 0.90 to 0.92."""
BIG_GPU_BATCH: Version = (0, 28, 0)
"""GPUs of 160 GiB and more got larger batch defaults."""
FP8_BLOCK_REFINED: Version = (0, 29, 0)
"""Block scales of FP8 experts may be refined to a common divisor (Triton, sm89 and up)."""
FP8_ON_TURING: Version = (0, 14, 0)
"""Weight-only FP8 (Marlin) reached compute capability 7.5."""


def parse_version(text: str) -> Version:
    """Return (major, minor, patch) of a vLLM version such as 0.21.0, 0.11.1 or v0.20.2.post1.

    Raises:
        WrongQuestion: It is no version, or one whose memory accounting this planner does not know.
    """
    match = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[.+-]?(?:post|rc|dev|cu).*)?", text.strip())
    if not match:
        raise WrongQuestion(f'vLLM version {text!r} is not of the form "0.21.0"')
    version = (int(match[1]), int(match[2]), int(match[3] or 0))
    if not OLDEST <= version < (NEWEST_READ[0], NEWEST_READ[1] + 1, 0):
        raise WrongQuestion(f"vLLM {text} is outside what the planner has read: 0.{OLDEST[1]} to 0.{NEWEST_READ[1]}")
    return version


def version_of_image(image: str) -> str:
    """Return the vLLM version in an image's tag.

    >>> version_of_image("public.ecr.aws/deep-learning-containers/vllm:0.21.0-gpu-py312")
    '0.21.0'
    """
    match = re.search(r":v?(\d+\.\d+\.\d+)", image)
    if not match:
        raise WrongQuestion(f"the tag of image {image!r} names no vLLM version")
    return match[1]


DEFAULT_VLLM_VERSION = version_of_image(DEFAULT_IMAGE)
