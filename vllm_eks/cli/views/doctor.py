"""The doctor's findings as text."""

from collections.abc import Sequence

from rich.console import Console

from vllm_eks.cli.views.screen import table
from vllm_eks.doctor.facts import Finding

MARKS = {"ok": "ok", "problem": "PROBLEM", "unknown": "unknown"}


def show_findings(findings: Sequence[Finding], out: Console) -> None:
    """Print a line for each finding, with evidence and a fix."""
    made = table(out, "", "what", "finding")
    for finding in findings:
        lines = [finding.title]
        lines += [f"evidence: {finding.evidence}"] if finding.evidence else []
        lines += [f"fix: {finding.remedy}"] if finding.remedy else []
        made.add_row(MARKS[finding.severity], finding.subject, "\n".join(lines))
    out.print(made)
