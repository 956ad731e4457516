"""Reads the last lines of lost pods from the stack's log group in CloudWatch. Imports boto3."""

import json
from collections.abc import Iterator, Sequence
from functools import partial

from vllm_eks.aws.account import Account
from vllm_eks.aws.session import Record
from vllm_eks.doctor.facts import KeptLog, LostPod
from vllm_eks.json_values import is_object
from vllm_eks.specs.logs import log_group_of, stream_of

LINES = 400
"""As many as the doctor reads from Kubernetes."""
MAX_PAGES = 3
"""GetLogEvents may return an empty page although there are more events."""
MAX_PODS = 8
"""In all: each needs a call for its stream, and up to MAX_PAGES for its lines."""
BEFORE_SECONDS = 3600
"""How long before a pod's end its last lines may be. Events of Kubernetes remain as long."""
CONTAINER = "vllm"
"""The container of the model's pods (charts/vllm/templates/_pod.tpl)."""


def read_kept_logs(account: Account, stack: str, pods: Sequence[LostPod], now: float) -> list[KeptLog]:
    """Return the last lines of lost pods, those of the first MAX_PODS.

    Args:
        account: The account.
        stack: `<project>-<stack>`.
        pods: The pods.
        now: The time, in seconds since 1970.

    Raises:
        WrongQuestion: AWS does not answer, or there is no log group.
    """
    found: list[KeptLog] = []
    for pod in pods[:MAX_PODS]:
        until = pod.recreated_at or now
        text = "\n".join(_lines(account, log_group_of(stack), stream_of(pod.namespace, pod.name, CONTAINER), until))
        if text:
            found.append(KeptLog(pod=pod, text=text))
    return found


def _lines(account: Account, group: str, stream: str, until: float) -> list[str]:
    # An unknown stream is an error of GetLogEvents, so look for it first. A prefix may match other streams too.
    answer = account.answer("logs", "describe_log_streams", logGroupName=group, logStreamNamePrefix=stream)
    if not any(one["logStreamName"] == stream for one in answer["logStreams"]):
        return []
    return [_text(event) for event in _last_events(account, group, stream, until)]


def _last_events(account: Account, group: str, stream: str, until: float) -> Iterator[Record]:
    ask = partial(
        account.answer,
        "logs",
        "get_log_events",
        logGroupName=group,
        logStreamName=stream,
        startTime=int((until - BEFORE_SECONDS) * 1000),
        endTime=int(until * 1000),
        limit=LINES,
        startFromHead=False,
    )
    token = ""
    for _ in range(MAX_PAGES):
        answer = ask(nextToken=token) if token else ask()
        if answer["events"] or answer["nextBackwardToken"] == token:
            yield from answer["events"]
            return
        token = answer["nextBackwardToken"]


def _text(event: Record) -> str:
    """Return the container's line in an event of Fluent Bit, or the whole event of another agent."""
    message = str(event["message"])
    try:
        fields: object = json.loads(message)
    except ValueError:
        return message
    return str(fields["log"]) if is_object(fields) and "log" in fields else message
