"""The checks of a stack: what is wrong or risky first, and how to ask what only the account can answer."""

from rich.console import Console
from rich.text import Text

from vllm_eks.check import NOT_ASKED, Check
from vllm_eks.cli.views.preview_answer import grouped_warnings, questions
from vllm_eks.cli.views.screen import say
from vllm_eks.preview.recording import Recording

STATUS_STYLE = {"passed": "cyan", "failed": "bold red", "warning": "bold magenta", "unknown": "yellow"}
STATUS_COLUMNS = 9
MOST_PASSED = 6
"""Passed checks that are listed; more are one line."""


def show_warnings(recording: Recording, out: Console) -> None:
    """Print every warning, and what the program wrote to Pulumi's log beside the checks."""
    for subject, text in grouped_warnings(recording):
        say(out, _line("warning", f"{subject}: {text}" if subject else text), hang=STATUS_COLUMNS)
    for line in recording.log:
        if line.severity == "info":
            say(out, f"info     {line.text}", hang=STATUS_COLUMNS)


def show_checks(recording: Recording, out: Console) -> None:
    """Print the checks by status; warnings stand at the head of the preview."""
    by_status = {status: [check for check in recording.checks if check.status == status] for status in STATUS_STYLE}
    for check in by_status["failed"]:
        say(out, _line("failed", f"{check.subject}: {check.text}"), hang=STATUS_COLUMNS)
    passed = by_status["passed"]
    if len(passed) > MOST_PASSED:
        say(out, _line("passed", f"{len(passed)} checks, such as {passed[0].subject}"), hang=STATUS_COLUMNS)
    else:
        for check in passed:
            say(out, _line("passed", f"{check.subject}: {check.text}"), hang=STATUS_COLUMNS)
    if by_status["warning"]:
        say(out, _line("warning", f"{len(by_status['warning'])}: see the top of this preview"), hang=STATUS_COLUMNS)
    asked = questions(recording.checks)
    for check in by_status["unknown"]:
        if check not in asked:
            say(out, _line("unknown", f"{check.subject}: {check.text}"), hang=STATUS_COLUMNS)
    if asked:
        say(out, "Only your account can answer these. pulumi preview asks it; by hand, run the commands:")
        for check in asked:
            _show_question(check, out)


def _show_question(check: Check, out: Console) -> None:
    command = check.text.removeprefix(f"{NOT_ASKED}: ")
    say(out, _line("unknown", f"to check: {check.subject}"), hang=STATUS_COLUMNS)
    # Whole, so that it can be copied: the terminal breaks it where it must.
    out.print(Text(" " * STATUS_COLUMNS + command), soft_wrap=True)


def _line(status: str, text: str) -> Text:
    return Text().append(f"{status:{STATUS_COLUMNS}}", style=STATUS_STYLE[status]).append(text)
