"""What the scheduler's message says of the nodes that a pod could use. Pure; standard library only."""

from __future__ import annotations

import re

NO_NODE = re.compile(r"(?P<before>.*?)(?P<free>\d+)/(?P<nodes>\d+) nodes are available: (?P<rest>.*)", re.DOTALL)
GPU_TAINT = re.compile(r"\d+ node\(s\) had untolerated taint\(?s?\)? \{nvidia\.com/gpu: [^}]*\}")
ANY_TAINT = re.compile(r"\d+ node\(s\) had untolerated taint\(s\)")
"""Kubernetes 1.36 no longer says which taint."""
FIXED = re.compile(r"Insufficient (?:memory|cpu|ephemeral-storage)")
"""What a node has of these it has from its first minute; GPUs appear once the device plugin runs."""


def usable_part(line: str) -> str:
    """Return a line; of a scheduler's refusal only what it says of nodes that the pod could use.

    Nodes whose only fault is the taint of GPU nodes are none for a pod that does not tolerate it, such as a Job; unless
    there are no others. Where every node that is right otherwise is too small even when empty, "never fits" is added.
    """
    refused = NO_NODE.match(line)
    if not refused:
        return line
    reasons, _, preemption = refused["rest"].partition("preemption:")
    parts = [part.strip(" .") for part in re.split(r",\s+(?=\d+ )|\.\s*$", reasons) if part.strip(" .")]
    others = [part for part in parts if not GPU_TAINT.fullmatch(part)]
    if any("Insufficient" in part for part in others):
        # Some nodes are right but for their room: those that are not right in the first place say nothing beside them.
        others = [part for part in others if not ANY_TAINT.fullmatch(part)]
    said = ", ".join(others or parts)
    if FIXED.search(said) and preemption and "No preemption victims found" not in preemption:
        # The scheduler calls preemption "not helpful" where the node is too small even without any pod.
        said += "; never fits" if not re.search(r"Insufficient (?!memory|cpu|ephemeral)", said) else ""
    return f"{refused['before']}{said}"
