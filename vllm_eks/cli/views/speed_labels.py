"""What a speed rests on, in words."""

from vllm_eks.planner.speed.evidence import Label


def label_text(label: Label) -> str:
    """Return the label of a speed.

    >>> label_text("calibrated"), label_text("derived")
    ('calibrated: measured on this stack', 'derived')
    """
    return f"{label}: measured on this stack" if label == "calibrated" else label
