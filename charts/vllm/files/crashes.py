"""Containers that ended without being asked to, among what Kubernetes says of a pod. Pure: no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from vllm_eks.pods.causes import last_words

Object = Mapping[str, Any]
ENDED_BY_PROBE = (0, 137, 143)
"""Exit codes of a program that was told to stop: it obeyed (vLLM says 0), or was killed."""


@dataclass(frozen=True, kw_only=True)
class Crash:
    """One end of a container, or of a whole pod, that nobody asked for."""

    pod: str
    container: str = ""
    """Empty where the pod as a whole ended, such as by an eviction."""
    identity: str = ""
    """Tells this end apart from the next one of the same container."""
    before: bool = False
    """The container runs again, so that its log is the previous one."""
    text: str = ""
    """The reason, the exit code and the line that tells, in a few words."""


def crashes_of(pod: Object, warning: str) -> list[Crash]:
    """Return the ends of a pod's containers that nobody asked for; `warning` is the newest one about the pod.

    Every end of a serving container counts, also with exit code 0: vLLM ends so when its engine dies. One that ended
    after its pod's deletion was asked for does not, and neither does an init container that ended well.
    """
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    uid = pod["metadata"].get("uid", "")
    found = []
    if status.get("phase") == "Failed" and status.get("reason"):
        found.append(
            Crash(pod=name, identity=uid, text=f"{status['reason']}, {status.get('message', '')}".rstrip(", "))
        )
    for container, is_init in containers_of(pod):
        for state, before in ((container.get("state", {}), False), (container.get("lastState", {}), True)):
            ended = state.get("terminated")
            if ended is None or (is_init and not ended.get("exitCode")) or was_asked_for(pod, ended):
                continue
            at = ended.get("containerID") or ended.get("finishedAt") or str(container.get("restartCount", 0))
            found.append(
                Crash(
                    pod=name,
                    container=container.get("name", ""),
                    identity=f"{uid} {container.get('name', '')} {at}",
                    before=before,
                    text=_text(ended, warning),
                )
            )
    return found


def crash_of(pod: Object, warning: str) -> str:
    """Name the pod's last crash, with the line of its log that tells, or the probe that ended it; empty for none."""
    crashes = crashes_of(pod, warning)
    if crashes:
        return crashes[0].text
    return warning if warning.startswith("Killing") else ""


def was_asked_for(pod: Object, ended: Object) -> bool:
    """Tell whether a container ended after the deletion of its pod was asked for."""
    meta = pod["metadata"]
    by = meta.get("deletionTimestamp")
    if not by:
        return False
    if not ended.get("finishedAt"):
        return ended.get("exitCode", 0) in ENDED_BY_PROBE
    asked = _time(by) - timedelta(seconds=meta.get("deletionGracePeriodSeconds") or 0)
    return _time(ended["finishedAt"]) >= asked


def is_restarted(pod: Object) -> bool:
    """Tell whether a container runs again after its crash, so that the log to read is the one before."""
    return any("running" in one.get("state", {}) and "terminated" in one.get("lastState", {}) for one in serving(pod))


def containers_of(pod: Object) -> list[tuple[Object, bool]]:
    """Return the state of each container, those that must end first last; and whether it is one of these."""
    status = pod.get("status", {})
    return [(one, False) for one in serving(pod)] + [(one, True) for one in status.get("initContainerStatuses") or []]


def serving(pod: Object) -> Sequence[Object]:
    """Return the state of each container but those that must end before the others start."""
    return pod.get("status", {}).get("containerStatuses") or []


def _text(ended: Object, warning: str) -> str:
    code = ended.get("exitCode", 0)
    if code in ENDED_BY_PROBE and warning.startswith("Killing"):
        return warning
    # The supervisor writes the line that tells there; else FallbackToLogsOnError puts the end of the log there.
    said = last_words(ended.get("message") or "")
    return f"{ended.get('reason') or 'Error'}, exit code {code}" + (f", last log line: {said}" if said else "")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
