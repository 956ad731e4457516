"""What a check found: passed, failed, a warning, or unknown. Unknown is never shown as passed."""

from collections.abc import Iterable

import pulumi

from vllm_eks.check import Check, check_lines


class StackRefused(pulumi.RunError):
    """A check failed: nothing may be made. Pulumi prints the text alone, without a traceback."""


def stop_on_failures(checks: Iterable[Check]) -> None:
    """End the program before anything is made when a check failed; write warnings and a summary to Pulumi's log.

    Raises:
        StackRefused: With the text of every failed check.
    """
    checks = tuple(checks)
    for line in check_lines(checks):
        (pulumi.log.warn if line.severity == "warning" else pulumi.log.info)(line.text)
    failed = [check for check in checks if check.status == "failed"]
    if failed:
        raise StackRefused("\n".join(f"{check.subject}: {check.text}" for check in failed))
