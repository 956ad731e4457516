"""Reports the checks to Pulumi, and stops the program when one failed."""

from collections.abc import Iterable

import pulumi

from vllm_eks.check import Check, check_lines


class StackRefused(pulumi.RunError):
    """A check failed, so nothing is created. Pulumi prints the text without a traceback."""


def stop_on_failures(checks: Iterable[Check]) -> None:
    """Write warnings and a summary to Pulumi's log, and stop the program if a check failed.

    Raises:
        StackRefused: At least one check failed. The text lists all of them.
    """
    checks = tuple(checks)
    for line in check_lines(checks):
        (pulumi.log.warn if line.severity == "warning" else pulumi.log.info)(line.text)
    failed = [check for check in checks if check.status == "failed"]
    if failed:
        raise StackRefused("\n".join(f"{check.subject}: {check.text}" for check in failed))
