"""How the account is asked, and what it means when it does not answer: unknown, never passed and never a stop."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from checks.result import Check

Answer = TypeVar("Answer")

DENIED = re.compile(r"UnauthorizedOperation|AccessDenied|not authorized to perform|StatusCode: 403")
LONGEST_REASON_CHARACTERS = 200


NOBODY_TO_ASK = "an offline preview asks nobody"
"""What the cloud of an offline preview answers."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """Something only the account can answer."""

    subject: str
    actions: str
    """What IAM must allow, such as ec2:DescribeSubnets."""
    command: str
    """The command that asks the same by hand."""


def ask(question: Question, call: Callable[[], Answer]) -> Answer | Check:
    """Return what the call returns, or the check that says why there is no answer.

    Args:
        question: What the answer is for.
        call: A Pulumi invoke, which goes through the stack's own provider.
    """
    try:
        return call()
    except Exception as error:  # pulumi raises no narrower kind for what the provider says
        return Check(subject=question.subject, status="unknown", text=_why(error, question))


def _why(error: Exception, question: Question) -> str:
    if NOBODY_TO_ASK in str(error):
        return f"not asked of the account: {question.command}"
    if DENIED.search(str(error)):
        return f"no permission to ask: allow {question.actions}, or run {question.command}"
    return f"AWS did not answer ({reason_of(error)}): {question.command}"


def reason_of(error: Exception) -> str:
    """Return the telling end of a provider's error: what AWS itself said, where it said something.

    >>> reason_of(Exception("invoke failed: operation error EC2: X, RequestID: 1, api error Throttling: Rate exceeded"))
    'Throttling: Rate exceeded'
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    _, found, said = " ".join(line.strip() for line in lines).rpartition("api error ")
    reason = (said if found else lines[0].strip()).removesuffix(" ()").rstrip(".")
    return reason if len(reason) <= LONGEST_REASON_CHARACTERS else reason[:LONGEST_REASON_CHARACTERS] + "..."
