"""Calls the account for a check. Without an answer a check is unknown: it neither passes nor stops a deployment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vllm_eks.check import NOT_QUERIED, OFFLINE_REASON, Check

Answer = TypeVar("Answer")

DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized"}
"""AWS error codes for a missing permission."""

MAX_REASON_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Question:
    """Something only the account can answer."""

    subject: str
    actions: str
    """The required IAM actions, such as ec2:DescribeSubnets."""
    command: str
    """The command to run the same query by hand."""


def ask(question: Question, call: Callable[[], Answer]) -> Answer | Check:
    """Return the result of a call, or a check that says why there is none.

    Args:
        question: The check's subject, and how to answer it by hand.
        call: A function that calls an `Api`.
    """
    try:
        return call()
    except Exception as error:  # boto3's error types are not imported here
        return Check(subject=question.subject, status="unknown", text=why_unknown(error, question))


def why_unknown(error: Exception, question: Question) -> str:
    """Return why a question has no answer, with the missing permission or the command to run."""
    if OFFLINE_REASON in str(error):
        return f"{NOT_QUERIED}: {question.command}"
    if error_code(error) in DENIED:
        return f"no permission: allow {question.actions}, or run {question.command}"
    return f"AWS did not answer ({reason_of(error)}): {question.command}"


def error_code(error: Exception) -> str:
    """Return the AWS error code, such as ResourceNotFoundException, or an empty string when AWS did not answer."""
    return getattr(error, "response", {}).get("Error", {}).get("Code", "")


def reason_of(error: Exception) -> str:
    """Return an error as one line, with AWS's code if there is one.

    >>> reason_of(TimeoutError("Read timeout on endpoint URL: https://eks.us-west-2.amazonaws.com/"))
    'Read timeout on endpoint URL: https://eks.us-west-2.amazonaws.com/'
    """
    code = error_code(error)
    message = getattr(error, "response", {}).get("Error", {}).get("Message", "") if code else str(error)
    line = " ".join(message.split()).rstrip(".") or type(error).__name__
    reason = f"{code}: {line}" if code else line
    return reason if len(reason) <= MAX_REASON_CHARACTERS else reason[:MAX_REASON_CHARACTERS] + "..."
