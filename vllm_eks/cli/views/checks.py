"""The checks of a stack: failures and risks first, then how to answer what only the account knows."""

from rich.console import Console

from vllm_eks.check import NOT_QUERIED, Check
from vllm_eks.cli.views.preview_answer import grouped_warnings, questions
from vllm_eks.cli.views.screen import Line, say
from vllm_eks.preview.recording import Recording

STATUS_STYLE = {"passed": "cyan", "failed": "bold red", "warning": "bold magenta", "unknown": "yellow"}
STATUS_COLUMNS = 9
MAX_PASSED = 6
"""Maximum number of passed checks to list. More are summarized in one line."""


def show_warnings(recording: Recording, out: Console) -> None:
    """Print all warnings, and the program's own lines in Pulumi's log."""
    for subject, text in grouped_warnings(recording):
        say(out, _line("warning", f"{subject}: {text}" if subject else text), hang=STATUS_COLUMNS)
    for line in recording.log:
        if line.severity == "info":
            say(out, f"info     {line.text}", hang=STATUS_COLUMNS)


def show_checks(recording: Recording, out: Console) -> None:
    """Print the checks by status, without warnings, which are at the top of the preview."""
    by_status = {status: [check for check in recording.checks if check.status == status] for status in STATUS_STYLE}
    for check in by_status["failed"]:
        say(out, _line("failed", f"{check.subject}: {check.text}"), hang=STATUS_COLUMNS)
    passed = by_status["passed"]
    if len(passed) > MAX_PASSED:
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
        say(out, "Only your account can answer these. pulumi preview checks them. To check by hand, run the commands:")
        for check in asked:
            _show_question(check, out)


def _show_question(check: Check, out: Console) -> None:
    command = check.text.removeprefix(f"{NOT_QUERIED}: ")
    say(out, _line("unknown", f"to check: {check.subject}"), hang=STATUS_COLUMNS)
    # Not wrapped, so that it can be copied.
    say(out, " " * STATUS_COLUMNS + command, wraps=False)


def _line(status: str, text: str) -> Line:
    return (f"{status:{STATUS_COLUMNS}}", STATUS_STYLE[status]), (text, "")
