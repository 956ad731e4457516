"""What the objects of one model's rollout mean: is it done, and if not, why not. Pure: no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LWS_LABEL = "leaderworkerset.sigs.k8s.io/name"
WORKER_INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
REVISION_LABEL = "vllm-eks/revision"

Object = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What one look at the cluster showed."""

    line: str
    leaders: tuple[tuple[str, str], ...] = ()
    """Name and IP of the leader pods to ask; empty until all groups are updated and ready."""
    crash: str = ""
    """The last crash among the present pods; kept, because the group's restart takes the pod away."""
    crashed: tuple[tuple[str, bool], ...] = ()
    """Names of the pods that crashed, and whether the crash was of the container before the present one."""
    look_with: str = "get leaderworkersets,pods,events"
    """What to ask kubectl for when time runs out."""


def judge(
    lws: Object,
    pods: Sequence[Object],
    warnings: Mapping[str, tuple[str, str]],
    *,
    name: str,
    revision: str,
    replicas: int,
) -> Sight:
    """Say what the objects mean; `leaders` is filled when there is nothing left to wait for.

    `warnings` are those of warnings_by_uid; `name`, `revision` and `replicas` are the wanted ones.
    """
    status = lws.get("status", {})
    present = [pod for pod in pods if label(pod, REVISION_LABEL) == revision]
    leaders = [pod for pod in present if label(pod, WORKER_INDEX_LABEL) == "0" and is_ready(pod)]
    parts = [f"groups ready {status.get('readyReplicas', 0)}/{replicas}, of this revision {len(leaders)}"]
    old = sum(1 for pod in pods if label(pod, REVISION_LABEL) != revision)
    if old:
        parts.append(f"{old} pods of another revision still there")
    waiting = [pod for pod in present if not is_ready(pod)]
    parts += [f"{name_of(pod)}: {trouble(pod, warning_about(pod, warnings))}" for pod in waiting]
    if not pods:
        # No pod at all: what the controllers complain about, such as a quota.
        parts += [
            f"{about}: {text}" for about, text in warnings.values() if about == name or about.startswith(f"{name}-")
        ]
    # Controllers before 0.9 may not write observedGeneration; the pods' own revision is checked in any case.
    generation = lws["metadata"].get("generation")
    done = (
        status.get("observedGeneration", generation) == generation
        and status.get("updatedReplicas") == status.get("readyReplicas") == status.get("replicas") == replicas
        and len(leaders) == replicas
    )
    crashes = [f"{name_of(pod)}: {text}" for pod in present if (text := crash_of(pod, warning_about(pod, warnings)))]
    return Sight(
        line="; ".join(parts),
        leaders=tuple((name_of(pod), pod["status"]["podIP"]) for pod in leaders) if done else (),
        crash=crashes[0] if crashes else "",
        crashed=tuple((name_of(pod), is_restarted(pod)) for pod in present if crash_of(pod, "")),
        look_with=look_with(waiting[0]) if waiting else Sight.look_with,
    )


def trouble(pod: Object, warning: str) -> str:
    """Say in a few words why a pod is not ready, the most telling cause first."""
    crash = crash_of(pod, warning)
    if pod["metadata"].get("deletionTimestamp"):
        return f"is being deleted, {crash}" if crash else "is being deleted"
    if crash:
        return crash
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason', 'not scheduled')}, {condition.get('message', '')}"
    for state in states(pod):
        if "waiting" in state:
            reason = state["waiting"].get("reason", "waiting")
            # ContainerCreating is no cause; a volume that cannot be mounted shows in an event alone.
            message = state["waiting"].get("message") or warning
            return f"{reason}, {message}" if message else reason
    return warning or f"{pod.get('status', {}).get('phase', 'Unknown')}, not ready yet"


def crash_of(pod: Object, warning: str) -> str:
    """Name the pod's last crash, with the end of its log, or the probe that ended it; empty when there was none."""
    for state in states(pod):
        ended = state.get("terminated", {})
        # 143 is SIGTERM: it was asked to stop, with its group or by a probe.
        if ended.get("exitCode", 0) not in (0, 143):
            # terminationMessagePolicy FallbackToLogsOnError puts the end of the log here.
            log = ended.get("message", "").strip().splitlines()
            said = f", last log line: {log[-1].strip()}" if log else ""
            return f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']}{said}"
    return warning if warning.startswith("Killing") else ""


def is_restarted(pod: Object) -> bool:
    """Tell whether a container runs again after its crash, so that the log to read is the one before."""
    containers = pod.get("status", {}).get("containerStatuses", [])
    return any("running" in c.get("state", {}) and "terminated" in c.get("lastState", {}) for c in containers)


def look_with(pod: Object) -> str:
    """Return what to ask kubectl for to learn more about a pod that is not ready."""
    if is_restarted(pod):
        return f"logs {name_of(pod)} --previous"
    if any("running" in state or "terminated" in state for state in states(pod)):
        return f"logs {name_of(pod)}"
    return f"describe pod {name_of(pod)}"


def states(pod: Object) -> list[Object]:
    """Return the present state of each container, then the one before."""
    containers = pod.get("status", {}).get("containerStatuses", [])
    return [c.get("state", {}) for c in containers] + [c.get("lastState", {}) for c in containers]


def warnings_by_uid(events: Sequence[Object]) -> dict[str, tuple[str, str]]:
    """Return the newest trouble about each object: its uid (names come back), then its name and what is said.

    A probe that ended a container is told as a normal event. A failed startup probe is none: every start has some.
    """
    newest = sorted(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    found = {}
    for event in newest:
        about, message = event["involvedObject"], event.get("message", "")
        ended_by_probe = event["reason"] == "Killing" and "probe" in message
        starting = event["reason"] == "Unhealthy" and message.startswith("Startup probe")
        if ended_by_probe or (event["type"] == "Warning" and not starting):
            found[about.get("uid", "")] = (about["name"], f"{event['reason']}, {message}")
    return found


def warning_about(pod: Object, warnings: Mapping[str, tuple[str, str]]) -> str:
    """Return what warnings_by_uid has about a pod, or an empty string."""
    return warnings.get(pod["metadata"].get("uid", "no uid"), ("", ""))[1]


def label(pod: Object, key: str) -> str:
    """Return a label's value, or an empty string."""
    return pod["metadata"].get("labels", {}).get(key, "")


def name_of(pod: Object) -> str:
    """Return the pod's name."""
    return pod["metadata"]["name"]


def is_ready(pod: Object) -> bool:
    """Tell whether the pod is Ready and not on its way out."""
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")
