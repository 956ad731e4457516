"""Extracts from the scheduler's message the part about nodes that a pod could use. Pure; standard library only."""

from __future__ import annotations

import re

NO_NODE = re.compile(r"(?P<before>.*?)(?P<free>\d+)/(?P<nodes>\d+) nodes are available: (?P<rest>.*)", re.DOTALL)
GPU_TAINT = re.compile(r"\d+ node\(s\) had untolerated taint\(?s?\)? \{nvidia\.com/gpu: [^}]*\}")
ANY_TAINT = re.compile(r"\d+ node\(s\) had untolerated taint\(s\)")
"""Kubernetes 1.36 no longer names the taint."""
FIXED = re.compile(r"Insufficient (?:memory|cpu|ephemeral-storage)")
"""Resources that a node has from its start. GPUs appear only when the device plugin runs."""


def usable_part(line: str) -> str:
    """Return a line, reduced to the nodes that the pod could use if it is the scheduler's message.

    Nodes with only the GPU taint are left out unless there are no others, because the pod (such as a Job) does not
    tolerate it. "never fits" is added when all matching nodes are too small even when empty.
    """
    refused = NO_NODE.match(line)
    if not refused:
        return line
    reasons, _, preemption = refused["rest"].partition("preemption:")
    parts = [part.strip(" .") for part in re.split(r",\s+(?=\d+ )|\.\s*$", reasons) if part.strip(" .")]
    others = [part for part in parts if not GPU_TAINT.fullmatch(part)]
    if any("Insufficient" in part for part in others):
        # Some nodes match but are full, so nodes that do not match are irrelevant.
        others = [part for part in others if not ANY_TAINT.fullmatch(part)]
    text = ", ".join(others or parts)
    if FIXED.search(text) and preemption and "No preemption victims found" not in preemption:
        # The scheduler calls preemption "not helpful" when the node is too small even without other pods.
        text += "; never fits" if not re.search(r"Insufficient (?!memory|cpu|ephemeral)", text) else ""
    return f"{refused['before']}{text}"
