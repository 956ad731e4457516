"""Instance types that the catalogue leaves out on purpose: why each kind serves nothing here."""

import re

SERVED = (
    "vllm-eks serves on NVIDIA GPUs beside x86-64 processors: take a type such as g5.xlarge, g6e.xlarge or p5.48xlarge"
)

_FAMILIES = (
    (r"(inf|trn)\d", "has AWS Neuron accelerators, no NVIDIA GPU"),
    (r"g5g|p6e-gb\d+", "has NVIDIA GPUs beside ARM processors, which the images and the node group do not run on"),
    (r"g4ad", "has AMD GPUs, no NVIDIA GPU"),
    (r"dl1|dl2q", "has Gaudi or Qualcomm accelerators, no NVIDIA GPU"),
    (r"vt1|f[12]", "has FPGAs or transcoders, no NVIDIA GPU"),
    (r"p[23](dn)?|g[23]s?", "has NVIDIA GPUs older than vLLM's images run on"),
    (r"(a|c|d|h|hpc|i|im|is|m|mac|r|t|u|x|z)\d", "has no GPU"),
)
"""Patterns of the name before the dot, the first that matches, and what such a type lacks (EC2 user guide)."""


def why_not_served(instance_type: str) -> str | None:
    """Return why a real EC2 type is not in the catalogue, as the end of a sentence; None where nothing is known of it.

    >>> why_not_served("inf2.48xlarge").partition(":")[0]
    'has AWS Neuron accelerators, no NVIDIA GPU'
    """
    family, dot, _ = instance_type.lower().partition(".")
    if not dot:
        return None
    for pattern, lacks in _FAMILIES:
        if re.match(rf"(?:{pattern})(?![0-9])", family):
            return f"{lacks}: {SERVED}"
    return None
