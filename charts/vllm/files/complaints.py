"""The newest unresolved warning event of each object. Pure: no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
RESOLVING_REASONS = (
    "Scheduled",
    "Pulling",
    "Pulled",
    "Created",
    "Started",
    "SuccessfulCreate",
    "SuccessfulAttachVolume",
)
"""Normal events that resolve an earlier complaint about the same object."""
PULL_REASONS = ("Failed", "BackOff", "ErrImageNeverPull", "InspectFailed")
"""Complaints that another pull attempt ("Pulling") does not resolve."""


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """A warning about one object."""

    about: str
    """The object's name."""
    kind: str
    """The object's kind, such as Pod."""
    text: str
    """The reason and the message."""


def complaints_by_uid(events: Sequence[Object]) -> dict[str, Complaint]:
    """Return the newest complaint about each object, by its uid, because names are reused.

    A probe that ended a container counts, although its event is Normal. A failed startup probe does not count, because
    every start has some.
    """
    found: dict[str, Complaint] = {}
    for event in sorted(events, key=_time):
        about, reason, message = event["involvedObject"], event.get("reason", ""), event.get("message", "")
        uid = about.get("uid", "")
        ended_by_probe = reason == "Killing" and "probe" in message
        starting = reason == "Unhealthy" and message.startswith("Startup probe")
        if ended_by_probe or (event.get("type") == "Warning" and not starting):
            text = f"{reason}, {message}"
            found[uid] = Complaint(about=about["name"], kind=about.get("kind", ""), text=text)
        elif reason in RESOLVING_REASONS and uid in found and not _persists(found[uid], reason):
            del found[uid]
    return found


def complaint_about(pod: Object, complaints: Mapping[str, Complaint]) -> str:
    """Return the complaint about a pod, or an empty string."""
    found = complaints.get(pod["metadata"].get("uid", "no uid"))
    return found.text if found else ""


def controller_complaints(complaints: Mapping[str, Complaint], name: str, pods: Sequence[Object]) -> list[Complaint]:
    """Return the complaints about the controllers of a model's pods, such as a quota, without those about pods."""
    known = {pod["metadata"].get("uid") for pod in pods}
    return [
        one
        for uid, one in complaints.items()
        if uid not in known and one.kind != "Pod" and (one.about == name or one.about.startswith(f"{name}-"))
    ]


def _persists(complaint: Complaint, reason: str) -> bool:
    word = complaint.text.partition(",")[0]
    # A failed probe is about a container that ran, so the start of the next one does not resolve it.
    return word in ("Killing", "Unhealthy") or (word in PULL_REASONS and reason == "Pulling")


def _time(event: Object) -> str:
    # A series of events has its last time in a separate field.
    series: Object = event.get("series") or {}
    return event.get("lastTimestamp") or series.get("lastObservedTime") or event.get("eventTime") or ""
