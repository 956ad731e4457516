"""Pins as text, and as one JSON object."""

from collections.abc import Sequence
from typing import Any

from vllm_eks.cli.views.screen import console, table
from vllm_eks.pins.pinned import Pin


def show_pins(pins: Sequence[Pin], version: str, written: Sequence[str], file_name: str, not_asked: str) -> None:
    """Print the pins, which of them were written, and why AWS could not be queried."""
    out = console()
    print(f"Pins for Kubernetes {version}: in this release, in {file_name}, and the newest in AWS.\n")
    rows = table(out, "pin", "this release", "stack file", "offered", "remark")
    for pin in pins:
        remark = f"written; {pin.remark}".rstrip("; ") if pin.key in written else pin.remark
        rows.add_row(pin.key, pin.released or "-", pin.in_stack or "-", pin.offered or "?", remark)
    out.print(rows)
    if not_asked:
        print(f"\nAWS could not be queried: {not_asked}")
    if written:
        print(f"\n{len(written)} written to {file_name}. docs/how-to/edits.md lists the effects; run pulumi preview")


def pins_json(pins: Sequence[Pin], version: str, stack: str, written: Sequence[str]) -> dict[str, Any]:
    """Return one JSON object. Its keys are a contract: keys may be added, but not removed."""
    return {
        "stack": stack,
        "kubernetes_version": version,
        "pins": [
            {
                "key": pin.key,
                "this_release": pin.released,
                "stack_file": pin.in_stack,
                "offered": pin.offered,
                "moves": pin.moves,
                "written": pin.key in written,
                "remark": pin.remark or None,
            }
            for pin in pins
        ],
    }
