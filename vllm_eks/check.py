"""What a check found: passed, failed, a warning, or unknown. Unknown is never shown as passed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

OPEN_QUESTION = "stack file"
"""Subject of a check about what the stack file still lacks before `pulumi up`."""

NOBODY_TO_ASK = "an offline preview asks nobody"
"""What the cloud of an offline preview answers."""

NOT_ASKED = "not asked of the account"
"""How the text of a check begins that nobody was there to answer."""

Status = Literal["passed", "failed", "warning", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question about the stack and its answer."""

    subject: str
    status: Status
    text: str
    """What was found; for `unknown`, how to find out."""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of Pulumi's log."""

    severity: Literal["debug", "info", "warning", "error"]
    text: str


def check_lines(checks: Sequence[Check]) -> Iterator[LogLine]:
    """Yield what Pulumi's log says of the checks: each warning, then the others in one line."""
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
