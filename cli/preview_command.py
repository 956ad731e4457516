"""`vllm-eks preview`: what `pulumi up` would build, from the real program, without account, cluster or network."""

import sys
from pathlib import Path

import pulumi
import yaml
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from checks.result import StackRefused
from cli.cost_view import show_costs
from cli.plan_view import memory_table, summary_lines
from cli.recording import Recording, record
from cli.resources_view import resource_tree
from cli.screen import console
from cli.topology_view import topology
from config.stack_file import StackFileError, read_stack_file

FITS, WRONG_QUESTION, DOES_NOT_FIT = 0, 2, 3
RELEASE = "kubernetes:helm.sh/v3:Release"
STATUS_STYLE = {"passed": "green", "failed": "red", "warning": "magenta", "unknown": "yellow"}


def run_preview(folder: Path, stack: str) -> int:
    """Print the preview of a stack; return 0, 2 for a wrong stack file, or 3 for a plan that does not fit."""
    try:
        recording = record(folder, read_stack_file(folder, stack).for_offline_preview())
    except StackRefused as refusal:
        print(refusal, file=sys.stderr)
        return DOES_NOT_FIT
    except (StackFileError, pulumi.RunError) as error:
        print(error, file=sys.stderr)
        return WRONG_QUESTION
    show(recording, stack, console())
    return FITS


def show(recording: Recording, stack: str, out: Console) -> None:
    """Print every part of the preview, in the order of the program."""
    out.print(f"Offline preview of stack {stack}: nothing was made, and nobody was asked.", markup=False)
    _part(out, "Plan")
    for name, nodes in recording.fleet.items():
        plan = nodes.plan
        out.print(f"[{name}]" + (" parked: no node runs" if nodes.parked else ""), markup=False)
        for line in summary_lines(plan):
            out.print(line, markup=False)
        out.print()
        if plan.layout:
            out.print(memory_table(plan.layout, out))
        for warning in plan.warnings:
            out.print(f"warning: {warning}", markup=False)
        for note in plan.notes:
            out.print(f"note: {note}", markup=False)
        if plan.model.revision is None:
            out.print("note: no commit is locked for this model: the head of its repository is served", markup=False)
        out.print()
    _part(out, "Topology")
    out.print(topology(recording, out))
    _part(out, "Resources")
    out.print(resource_tree(recording))
    _part(out, "Helm values")
    _show_values(recording, out)
    _part(out, "Price")
    show_costs(recording, out)
    _part(out, "Checks")
    _show_checks(recording, out)


def _part(out: Console, title: str) -> None:
    out.print()
    out.print(Rule(title, align="left") if out.is_terminal else Text(f"== {title}"))


def _show_values(recording: Recording, out: Console) -> None:
    for release in recording.of_type(RELEASE):
        values = release.inputs.get("values")
        if values:
            out.print(f"# {release.inputs['name']} ({release.inputs['chart']})", markup=False)
            # Names of Secrets stand in values, their contents never do; a secret path would be a fault of ours.
            out.print(yaml.safe_dump(values, width=1000).rstrip(), markup=False, soft_wrap=True)


def _show_checks(recording: Recording, out: Console) -> None:
    for check in recording.checks:
        line = Text(f"{check.status:8}", style=STATUS_STYLE[check.status])
        out.print(line.append(f"{check.subject}: ", style="bold").append(check.text, style="none"), soft_wrap=True)
