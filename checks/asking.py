"""How the account is asked, and what it means when it does not answer: unknown, never passed and never a stop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vllm_eks.check import NOBODY_TO_ASK, NOT_ASKED, Check

Answer = TypeVar("Answer")

DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized"}
"""Codes of AWS services for a permission that is missing."""

LONGEST_REASON_CHARACTERS = 200


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
        call: Asks an `Api`.
    """
    try:
        return call()
    except Exception as error:  # boto3's kinds are not known here: it is loaded only where somebody is asked
        return Check(subject=question.subject, status="unknown", text=why_unknown(error, question))


def why_unknown(error: Exception, question: Question) -> str:
    """Return why a question has no answer, with the permission or the command that gets one."""
    if NOBODY_TO_ASK in str(error):
        return f"{NOT_ASKED}: {question.command}"
    if error_code(error) in DENIED:
        return f"no permission to ask: allow {question.actions}, or run {question.command}"
    return f"AWS did not answer ({reason_of(error)}): {question.command}"


def error_code(error: Exception) -> str:
    """Return the code of what AWS answered, such as ResourceNotFoundException; empty where AWS did not answer."""
    return getattr(error, "response", {}).get("Error", {}).get("Code", "")


def reason_of(error: Exception) -> str:
    """Return why a question has no answer, on one line: AWS's code and text, where AWS answered.

    >>> reason_of(TimeoutError("Read timeout on endpoint URL: https://eks.us-west-2.amazonaws.com/"))
    'Read timeout on endpoint URL: https://eks.us-west-2.amazonaws.com/'
    """
    code = error_code(error)
    said = getattr(error, "response", {}).get("Error", {}).get("Message", "") if code else str(error)
    line = " ".join(said.split()).rstrip(".") or type(error).__name__
    reason = f"{code}: {line}" if code else line
    return reason if len(reason) <= LONGEST_REASON_CHARACTERS else reason[:LONGEST_REASON_CHARACTERS] + "..."
