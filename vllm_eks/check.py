"""The result of a check: passed, failed, a warning, or unknown. Unknown is never shown as passed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

OPEN_QUESTION = "stack file"
"""Subject of a check about something that the stack file lacks for `pulumi up`."""

OFFLINE_REASON = "an offline preview does not contact AWS"
"""The answer to every call in an offline preview."""

NOT_QUERIED = "AWS was not queried"
"""Prefix of the text of a check that could not query the account."""

Status = Literal["passed", "failed", "warning", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one check of the stack."""

    subject: str
    status: Status
    text: str
    """The result, or for `unknown` how to find out."""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line in Pulumi's log."""

    severity: Literal["debug", "info", "warning", "error"]
    text: str


def check_lines(checks: Sequence[Check]) -> Iterator[LogLine]:
    """Yield the lines for Pulumi's log: each warning, and a summary of the other checks."""
    for check in checks:
        if check.status == "warning":
            yield LogLine(severity="warning", text=f"{check.subject}: {check.text}")
    passed = sum(check.status == "passed" for check in checks)
    unknown = [f"{check.subject}: {check.text}" for check in checks if check.status == "unknown"]
    if passed or unknown:
        yield LogLine(
            severity="info",
            text=f"checks: {passed} passed, {len(unknown)} unknown" + "".join(f"\n  {text}" for text in unknown),
        )
