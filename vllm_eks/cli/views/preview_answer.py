"""One line that answers: can I run `pulumi up`?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Literal

from vllm_eks.check import OPEN_QUESTION, Check
from vllm_eks.cli.views.cost import bill
from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.hardware.prices import partition
from vllm_eks.planner.search.cost import known_usd, total_usd
from vllm_eks.preview.recording import Recording

MAX_NAMES = 3
"""Maximum number of names to print before the rest is counted."""
Verdict = Literal["yes", "not_yet", "no"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to: can I run `pulumi up`?"""

    verdict: Verdict
    """`yes` if the account allows it, `not_yet` if something must be set first, or `no` if a check failed."""
    line: str


def answer(recording: Recording) -> Answer:
    """Return the answer, with what is created, the price and the open questions."""
    failed = [check for check in recording.checks if check.status == "failed"]
    if recording.refusal:
        more = f" ({len(failed)} checks failed)" if len(failed) > 1 else ""
        first = failed[0]
        return Answer(verdict="no", line=f"No: {first.subject}: {first.text.splitlines()[0].rstrip(':')}{more}.")
    todo = [check for check in recording.checks if check.subject == OPEN_QUESTION]
    built = f"{_nodes(recording)}, {_price(recording)}{_open(recording)}."
    if todo:
        more = f", and {len(todo) - 1} more to set" if len(todo) > 1 else ""
        return Answer(verdict="not_yet", line=f"Not yet: {todo[0].text}{more}. Then: {built}")
    return Answer(verdict="yes", line=f"Yes, if your account allows it: {built}")


def warnings_of(recording: Recording) -> list[str]:
    """Return all warnings of the checks, the plans and Pulumi's log, in that order."""
    checks = [f"{check.subject}: {check.text}" for check in recording.checks if check.status == "warning"]
    return checks + [line.text for line in recording.log if line.severity in ("warning", "error")]


def grouped_warnings(recording: Recording) -> list[tuple[str, str]]:
    """Return each warning once, with its subjects. Warnings of Pulumi's log have none."""
    about: dict[str, list[str]] = {}
    for check in recording.checks:
        if check.status == "warning":
            about.setdefault(check.text, []).append(check.subject)
    checks = [(named(subjects), text) for text, subjects in about.items()]
    return checks + [("", line.text) for line in recording.log if line.severity in ("warning", "error")]


def named(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def questions(checks: Sequence[Check]) -> list[Check]:
    """Return the checks that need the account."""
    return [check for check in checks if check.status == "unknown" and check.subject != OPEN_QUESTION]


def _nodes(recording: Recording) -> str:
    running = [nodes for nodes in recording.fleet.values() if nodes.total]
    parked = len(recording.fleet) - len(running)
    beside = f" ({_number(parked, 'model')} parked)" if parked else ""
    types = {nodes.plan.instance.type for nodes in running}
    total = sum(nodes.total for nodes in running)
    if not running:
        return f"no GPU node{beside}"
    of = f"{total} x {types.pop()}" if len(types) == 1 else _number(total, "GPU node")
    return (of if len(running) == 1 else f"{_number(len(running), 'model')} on {of}") + beside


def _price(recording: Recording) -> str:
    parts = bill(recording)
    total = total_usd(parts)
    if total is not None:
        return f"${total:,.2f}/h"
    types = sorted({nodes.plan.instance.type for nodes in recording.fleet.values() if nodes.usd_per_hour is None})
    if types:
        return f"price of {named(types)} unknown in {recording.region}{_in_reference_region(recording)}"
    unknown = [part.part for part in parts if part.usd_per_hour is None]
    return f"at least ${known_usd(parts):,.2f}/h (in {recording.region} the price of {named(unknown)} is unknown)"


def _in_reference_region(recording: Recording) -> str:
    """Return the price of the GPU nodes in the reference region, if that says anything about the stack's own region."""
    prices = [
        nodes.total * nodes.plan.instance.usd_per_hour_by_region.get(REFERENCE_REGION, nan)
        for nodes in recording.fleet.values()
    ]
    if isnan(sum(prices)) or partition(recording.region):
        return ""
    return f" (${sum(prices):,.2f}/h for all GPU nodes in {REFERENCE_REGION})"


def _open(recording: Recording) -> str:
    left = [
        _number(len(found), what)
        for found, what in (
            (questions(recording.checks), "question"),
            (warnings_of(recording), "warning"),
        )
        if found
    ]
    return f"; {', '.join(left).replace('questions', 'checks that need your account')}" if left else ""


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
