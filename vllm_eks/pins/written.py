"""Writes new versions to a stack file."""

from collections.abc import Sequence
from pathlib import Path

from vllm_eks.pins.pinned import Pin
from vllm_eks.stack_files.edited import write_values
from vllm_eks.stack_files.read import StackFile


def write_pins(folder: Path, stack: str, pins: Sequence[Pin], file: StackFile) -> list[str]:
    """Write each pin's newest version to the stack file, and return the keys that changed.

    Raises:
        WrongQuestion: The file cannot be changed only in these places, or would be refused. It is unchanged.
    """
    wanted = {pin.key: pin.offered for pin in pins if pin.offered is not None}
    if wanted:
        write_values(folder, stack, wanted, file)
    return list(wanted)
