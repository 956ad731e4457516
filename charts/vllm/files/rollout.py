"""Decides from a model's Kubernetes objects whether its rollout is done, or why not. Pure: no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vllm_eks.pods.complaints import Complaint, complaint_about, controller_complaints
from vllm_eks.pods.crashes import Crash, Object, containers_of, crash_text, crashes_of, is_restarted, serving

LWS_LABEL = "leaderworkerset.sigs.k8s.io/name"
WORKER_INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
REVISION_LABEL = "vllm-eks/revision"


@dataclass(frozen=True, kw_only=True)
class RolloutState:
    """The state of a rollout at one moment."""

    line: str
    leaders: tuple[tuple[str, str], ...] = ()
    """Name and IP of the leader pods to test. Empty until all groups are updated and ready."""
    crashes: tuple[Crash, ...] = ()
    """Crashes of the current pods. Keep them, because a restart of the group deletes the pods."""
    troubles: tuple[tuple[str, str], ...] = ()
    """Subject and text of other problems that keep pods from running."""
    starting: tuple[str, ...] = ()
    """Pods whose server starts and logs its progress."""
    look_with: str = "get leaderworkersets,pods,events"
    """The kubectl arguments to suggest when time runs out."""


def judge(
    lws: Object,
    pods: Sequence[Object],
    complaints: Mapping[str, Complaint],
    *,
    name: str,
    revision: str,
    replicas: int,
) -> RolloutState:
    """Return the state of the rollout. `leaders` is filled when the rollout is done.

    `complaints` is the result of complaints_by_uid. `name`, `revision` and `replicas` are the desired ones.
    """
    status = lws.get("status", {})
    present = [pod for pod in pods if label(pod, REVISION_LABEL) == revision]
    leaders = [pod for pod in present if label(pod, WORKER_INDEX_LABEL) == "0" and is_ready(pod)]
    parts = [f"groups ready {status.get('readyReplicas', 0)}/{replicas}, with this revision {len(leaders)}"]
    old = len(pods) - len(present)
    if old:
        parts.append(f"{old} pods of another revision remain")
    waiting = [pod for pod in present if not is_ready(pod)]
    said = [(name_of(pod), trouble(pod, complaint_about(pod, complaints))) for pod in waiting]
    crashes = [crash for pod in present for crash in crashes_of(pod, complaint_about(pod, complaints))]
    crashed = {crash.pod for crash in crashes}
    refused = []
    if len(present) < replicas * lws.get("spec", {}).get("leaderWorkerTemplate", {}).get("size", 1):
        # Pods are missing, so include complaints about the controllers, such as a quota.
        refused = [(one.about, one.text) for one in controller_complaints(complaints, name, pods)]
    parts += [f"{about}: {text}" for about, text in (*said, *refused)]
    # Controllers before 0.9 may not write observedGeneration. The revision of the pods is always checked.
    generation = lws["metadata"].get("generation")
    done = (
        status.get("observedGeneration", generation) == generation
        and status.get("updatedReplicas") == status.get("readyReplicas") == status.get("replicas") == replicas
        and len(leaders) == replicas
    )
    return RolloutState(
        line="; ".join(parts),
        leaders=tuple((name_of(pod), pod["status"]["podIP"]) for pod in leaders) if done else (),
        crashes=tuple(crashes),
        troubles=(*(one for one in said if one[0] not in crashed), *refused),
        starting=tuple(name_of(pod) for pod in waiting if is_starting(pod)),
        look_with=look_with(waiting[0]) if waiting else RolloutState.look_with,
    )


def trouble(pod: Object, warning: str) -> str:
    """Return the reason that a pod is not ready, the most specific one if there are several."""
    crash = crash_text(pod, warning)
    if pod["metadata"].get("deletionTimestamp"):
        return f"is being deleted, {crash}" if crash else "is being deleted"
    if crash:
        return crash
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason', 'not scheduled')}, {condition.get('message', '')}"
    for container, is_init in containers_of(pod):
        waiting = container.get("state", {}).get("waiting")
        if waiting is None or waiting.get("reason") == "PodInitializing":
            continue  # an init container still runs and gives a better reason
        reason = waiting.get("reason", "waiting")
        # ContainerCreating is not a reason. A volume that cannot be mounted is reported only by an event.
        message = waiting.get("message") or warning
        if message or not is_init:
            return f"{reason}, {message}" if message else reason
    return warning or f"{pod.get('status', {}).get('phase', 'Unknown')}, not ready yet"


def look_with(pod: Object) -> str:
    """Return the kubectl arguments that show more about a pod that is not ready."""
    if is_restarted(pod):
        return f"logs {name_of(pod)} --previous"
    if is_starting(pod) or any("terminated" in one.get("state", {}) for one in serving(pod)):
        return f"logs {name_of(pod)}"
    return f"describe pod {name_of(pod)}"


def is_starting(pod: Object) -> bool:
    """Return whether a container runs, so that it has a log."""
    return any("running" in one.get("state", {}) for one in serving(pod))


def label(pod: Object, key: str) -> str:
    """Return a label's value, or an empty string."""
    return pod["metadata"].get("labels", {}).get(key, "")


def name_of(pod: Object) -> str:
    """Return the pod's name."""
    return pod["metadata"]["name"]


def is_ready(pod: Object) -> bool:
    """Return whether the pod is Ready and not being deleted."""
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")
