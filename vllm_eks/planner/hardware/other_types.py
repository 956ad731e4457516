"""EC2 types that are not supported, with the reason for each kind."""

import re

SERVED = "vllm-eks needs NVIDIA GPUs and x86-64 processors: choose a type such as g5.xlarge, g6e.xlarge or p5.48xlarge"

_FAMILIES = (
    (r"(inf|trn)\d", "has AWS Neuron accelerators instead of NVIDIA GPUs"),
    (r"g5g|p6e-gb\d+", "has ARM processors, which the images and the node group do not support"),
    (r"g4ad", "has AMD GPUs instead of NVIDIA GPUs"),
    (r"dl1|dl2q", "has Gaudi or Qualcomm accelerators instead of NVIDIA GPUs"),
    (r"vt1|f[12]", "has FPGAs or transcoders instead of NVIDIA GPUs"),
    (r"p[23](dn)?|g[23]s?", "has NVIDIA GPUs that are too old for vLLM's images"),
    (r"(a|c|d|h|hpc|i|im|is|m|mac|r|t|u|x|z)\d", "has no GPU"),
)
"""Patterns of the type's family, each with the reason (EC2 user guide). The first match counts."""


def why_not_served(instance_type: str) -> str | None:
    """Return why an existing EC2 type is not supported, as the end of a sentence, or None for other names.

    >>> why_not_served("inf2.48xlarge").partition(":")[0]
    'has AWS Neuron accelerators instead of NVIDIA GPUs'
    """
    family, dot, _ = instance_type.lower().partition(".")
    if not dot:
        return None
    for pattern, reason in _FAMILIES:
        if re.match(rf"(?:{pattern})(?![0-9])", family):
            return f"{reason}: {SERVED}"
    return None
