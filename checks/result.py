"""What a check found: passed, failed, a warning, or unknown. Unknown is never shown as passed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pulumi

Status = Literal["passed", "failed", "warning", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question about the stack and its answer."""

    subject: str
    status: Status
    text: str
    """What was found; for `unknown`, how to find out."""


class StackRefused(pulumi.RunError):
    """A check failed: nothing may be made. Pulumi prints the text alone, without a traceback."""


def stop_on_failures(checks: Iterable[Check]) -> None:
    """End the program before anything is made when a check failed; tell Pulumi's log what is risky or unknown.

    Raises:
        StackRefused: With the text of every failed check.
    """
    checks = tuple(checks)
    for check in checks:
        if check.status == "warning":
            pulumi.log.warn(f"{check.subject}: {check.text}")
        elif check.status == "unknown":
            pulumi.log.info(f"unknown: {check.subject}: {check.text}")
    failed = [check for check in checks if check.status == "failed"]
    if failed:
        raise StackRefused("\n".join(f"{check.subject}: {check.text}" for check in failed))
