"""Finds the pods of a model that are gone or were recreated, and what their last lines say. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from vllm_eks.doctor.facts import Finding, KeptLog, LostPod, Object, ServedModel
from vllm_eks.pods.causes import cause_of, last_words, line_with_cause
from vllm_eks.pods.crashes import crash_text
from vllm_eks.pods.rollout import is_ready


def lost_pods(model: ServedModel) -> list[LostPod]:
    """Return the pods that do not exist, and those that were recreated and have no log of their own yet.

    A pod that runs again in place has its last log in Kubernetes. Leaders come first.
    """
    if model.group is None:
        return []
    spec = model.group["spec"]
    present = {pod["metadata"]["name"]: pod for pod in model.pods}
    names = [
        (group, index, f"{model.name}-{group}" + (f"-{index}" if index else ""))
        for group in range(spec.get("replicas") or 0)
        for index in range(spec.get("leaderWorkerTemplate", {}).get("size", 1))
    ]
    found: list[LostPod] = []
    for group, index, name in sorted(names, key=lambda one: one[1] > 0):
        pod = present.get(name)
        if pod is None or not (is_ready(pod) or crash_text(pod, "")):
            found.append(
                LostPod(
                    model=model.name,
                    namespace=model.namespace,
                    name=name,
                    group=group,
                    index=index,
                    recreated_at=_created(pod) if pod else None,
                )
            )
    return found


def leaders_of(names: Sequence[str]) -> list[LostPod]:
    """Return the first leader of each model, for a cluster whose API does not answer."""
    return [LostPod(model=name, namespace=f"vllm-{name}", name=f"{name}-0", group=0, index=0) for name in names]


def _created(pod: Object) -> float | None:
    created: str = pod["metadata"].get("creationTimestamp") or ""
    return datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp() if created else None


def lost_findings(logs: Sequence[KeptLog], seen: set[str]) -> Iterator[Finding]:
    """Yield one finding for each group, because its pods end together for the same cause.

    Args:
        logs: The last lines of lost pods.
        seen: The codes of causes that other findings of the models have.
    """
    in_order = sorted(logs, key=lambda log: (log.pod.model, log.pod.group, log.pod.index))
    for _, group in groupby(in_order, key=lambda log: (log.pod.model, log.pod.group)):
        members = list(group)
        cause = cause_of(*(log.text for log in members))
        if cause is None:
            yield _without_cause(members[0])
        elif cause.code not in seen:
            seen.add(cause.code)
            log = next(log for log in members if cause_of(log.text) is cause)
            yield Finding(
                subject=_subject(log.pod),
                severity="problem",
                title=cause.title,
                evidence=line_with_cause(log.text, cause),
                remedy=cause.remedy,
                code=cause.code,
            )


def _without_cause(log: KeptLog) -> Finding:
    return Finding(
        subject=_subject(log.pod),
        severity="ok",
        title="its log in CloudWatch ends without a known cause, as after the loss of its node",
        evidence=last_words(log.text),
    )


def _subject(pod: LostPod) -> str:
    return f"{pod.name} ({'before it was recreated' if pod.recreated_at else 'in CloudWatch'})"
