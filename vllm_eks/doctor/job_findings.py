"""Findings about a model's Jobs and Helm releases. Pure."""

from collections.abc import Iterator, Mapping

from vllm_eks.doctor.facts import Finding, Object, ServedModel
from vllm_eks.pods.causes import cause_of, last_words, line_with_cause, masked
from vllm_eks.pods.complaints import complaint_about, complaints_by_uid
from vllm_eks.pods.rollout import trouble

RELEASE_SECONDS = 3600
"""Without a hook Job's deadline, a release that is pending for longer counts as interrupted."""


def job_findings(model: ServedModel) -> Iterator[Finding]:
    """Yield the failed Jobs, and those whose pod cannot run."""
    complaints = complaints_by_uid(model.events)
    for job in model.jobs:
        name, log = job["metadata"]["name"], model.job_logs.get(job["metadata"]["name"], "")
        conditions = {c["type"]: c for c in job.get("status", {}).get("conditions") or () if c["status"] == "True"}
        if "Failed" in conditions:
            message = f"{conditions['Failed'].get('reason', '')} {conditions['Failed'].get('message', '')}"
            yield _of_failed(name, log, message)
        elif "Complete" not in conditions:
            for pod in model.job_pods.get(name, ()):
                if pod.get("status", {}).get("phase") == "Pending":
                    yield from _of_pending(name, trouble(pod, complaint_about(pod, complaints)))


def release_findings(model: ServedModel, now: float) -> Iterator[Finding]:
    """Yield the releases that an interrupted `pulumi up` left pending, which makes the next one fail."""
    for record in model.releases:
        meta = record["metadata"]
        labels: Mapping[str, str] = meta.get("labels") or {}
        if now - float(labels.get("modifiedAt") or 0) < _longest(model):
            continue
        yield Finding(
            subject=f"release {labels.get('name', meta['name'])}",
            severity="problem",
            title=f"is {labels.get('status')} after an interrupted pulumi up, and the next one fails",
            evidence=f"Secret {meta['name']}",
            remedy=f"when no pulumi up is running: kubectl -n {model.namespace} delete secret {meta['name']}, "
            "then pulumi up",
            code="pending_release",
        )


def _longest(model: ServedModel) -> float:
    seconds = [job.get("spec", {}).get("activeDeadlineSeconds") or 0 for job in model.jobs if _is_ready_job(job)]
    return max(seconds, default=0) or RELEASE_SECONDS


def _is_ready_job(job: Object) -> bool:
    return job["metadata"]["name"].endswith("-ready")


def _of_failed(name: str, log: str, message: str) -> Finding:
    cause = cause_of(log, message)
    if cause is None:
        return Finding(
            subject=f"job {name}",
            severity="problem",
            title="failed",
            evidence=last_words(log) or masked(message)[:300],
        )
    return Finding(
        subject=f"job {name}",
        severity="problem",
        title=cause.title,
        evidence=line_with_cause(log or message, cause),
        remedy=cause.remedy,
        code=cause.code,
    )


def _of_pending(name: str, message: str) -> Iterator[Finding]:
    cause = cause_of(message)
    if cause is not None:
        yield Finding(
            subject=f"job {name}",
            severity="problem",
            title=cause.title,
            evidence=masked(message)[:300],
            remedy=cause.remedy,
            code=cause.code,
        )
