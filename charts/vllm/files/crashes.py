"""Finds unexpected ends of containers in a pod's status. Pure: no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from vllm_eks.pods.causes import last_words

Object = Mapping[str, Any]
STOPPED_EXIT_CODES = (0, 137, 143)
"""Exit codes of a stopped program: it ended in order (vLLM exits with 0), or was killed."""


@dataclass(frozen=True, kw_only=True)
class Crash:
    """An unexpected end of a container or of a whole pod."""

    pod: str
    container: str = ""
    """Empty when the whole pod ended, such as by an eviction."""
    identity: str = ""
    """Distinguishes this end from the next end of the same container."""
    before: bool = False
    """Whether the container runs again, so that its log is the previous one."""
    text: str = ""
    """The reason, the exit code and the relevant log line."""


def crashes_of(pod: Object, warning: str) -> list[Crash]:
    """Return the unexpected ends of a pod's containers. `warning` is the newest warning about the pod.

    Each end of a serving container counts, even with exit code 0, because vLLM exits with 0 when its engine dies. An
    end after the pod's deletion does not count, nor does an init container that succeeded.
    """
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    uid = pod["metadata"].get("uid", "")
    found: list[Crash] = []
    if status.get("phase") == "Failed" and status.get("reason"):
        found.append(
            Crash(pod=name, identity=uid, text=f"{status['reason']}, {status.get('message', '')}".rstrip(", "))
        )
    for container, is_init in containers_of(pod):
        for state, before in ((container.get("state", {}), False), (container.get("lastState", {}), True)):
            ended = state.get("terminated")
            if ended is None or (is_init and not ended.get("exitCode")) or was_requested(pod, ended):
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


def crash_text(pod: Object, warning: str) -> str:
    """Return the pod's last crash with the relevant log line, or the probe that ended it, or an empty string."""
    crashes = crashes_of(pod, warning)
    if crashes:
        return crashes[0].text
    return warning if warning.startswith("Killing") else ""


def was_requested(pod: Object, ended: Object) -> bool:
    """Return whether a container ended after the deletion of its pod."""
    meta = pod["metadata"]
    by = meta.get("deletionTimestamp")
    if not by:
        return False
    if not ended.get("finishedAt"):
        return ended.get("exitCode", 0) in STOPPED_EXIT_CODES
    asked = _time(by) - timedelta(seconds=meta.get("deletionGracePeriodSeconds") or 0)
    return _time(ended["finishedAt"]) >= asked


def is_restarted(pod: Object) -> bool:
    """Return whether a container runs again after a crash, so that the log to read is the previous one."""
    return any("running" in one.get("state", {}) and "terminated" in one.get("lastState", {}) for one in serving(pod))


def containers_of(pod: Object) -> list[tuple[Object, bool]]:
    """Return the state of each container, and whether it is an init container. Init containers come last."""
    status = pod.get("status", {})
    return [(one, False) for one in serving(pod)] + [(one, True) for one in status.get("initContainerStatuses") or ()]


def serving(pod: Object) -> Sequence[Object]:
    """Return the state of each container that is not an init container."""
    return pod.get("status", {}).get("containerStatuses") or []


def _text(ended: Object, warning: str) -> str:
    code = ended.get("exitCode", 0)
    if code in STOPPED_EXIT_CODES and warning.startswith("Killing"):
        return warning
    # The message is the supervisor's reason, or the end of the log (FallbackToLogsOnError).
    said = last_words(ended.get("message") or "")
    return f"{ended.get('reason') or 'Error'}, exit code {code}" + (f", last log line: {said}" if said else "")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
