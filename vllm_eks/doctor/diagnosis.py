"""Turns facts into findings. Pure: no network, no clock."""

import json
import re
from collections.abc import Iterator, Mapping

from vllm_eks.doctor.facts import EngineLooks, Facts, Finding, Object, ServedModel
from vllm_eks.doctor.job_findings import job_findings, release_findings
from vllm_eks.doctor.lost_pods import lost_findings
from vllm_eks.doctor.node_findings import node_findings, node_group_findings
from vllm_eks.doctor.prometheus_findings import existing_prometheus_findings
from vllm_eks.pods.causes import cause_of, last_words, line_with_cause, masked
from vllm_eks.pods.complaints import Complaint, complaint_about, complaints_by_uid, controller_complaints
from vllm_eks.pods.crashes import crash_text
from vllm_eks.pods.progress import Planned, measured_against, stage_of
from vllm_eks.pods.rollout import is_ready, trouble

GROUP_LABEL = "leaderworkerset.sigs.k8s.io/group-index"
INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
STALL_SECONDS = 300
"""Time after which the liveness probe reports an engine as stuck (charts/vllm/values.yaml, health.stallSeconds)."""
ENDED_PODS = re.compile(r"(?:Killing|Unhealthy|Evicted|OOMKilling)\b")
"""Complaints that explain why a pod ended. Complaints about its start no longer matter then."""


def diagnose(facts: Facts) -> list[Finding]:
    """Return the findings of a stack. A model without problems has one finding with severity `ok`."""
    findings = [Finding(subject=what, severity="unknown", title=why) for what, why in facts.unknown]
    if facts.existing_prometheus:
        findings += existing_prometheus_findings(facts.existing_prometheus)
    for group in facts.node_groups:
        findings += node_group_findings(group)
    for node in facts.nodes:
        findings += node_findings(node)
    for model in facts.models:
        of_model = [*release_findings(model, facts.now), *_model(model)]
        findings += of_model or [_healthy(model)]
    findings += lost_findings(facts.kept_logs, {finding.code for finding in findings})
    return findings


def _model(model: ServedModel) -> Iterator[Finding]:
    yield from job_findings(model)
    if model.group is None:
        yield Finding(
            subject=model.name,
            severity="problem",
            title=f"there is no LeaderWorkerSet {model.name} in {model.namespace}",
            remedy="check that --kubeconfig is the stack's cluster, and run pulumi up",
            code="no_group",
        )
        return
    complaints = complaints_by_uid(model.events)
    missing = _missing(model)
    refused = "\n".join(one.text for one in controller_complaints(complaints, model.name, model.pods))
    if missing and (not model.pods or (refused and cause_of(refused))):
        yield _finding(model.name, refused, otherwise="no pod was created", evidence=refused)
    seen: set[str] = set()
    for pod in model.pods:
        if not is_ready(pod):
            for finding in _pod(model, pod, complaint_about(pod, complaints)):
                # Pods of a group end together for the same cause.
                if finding.code not in seen or not finding.code:
                    yield finding
                seen.add(finding.code)
    if not all(is_ready(pod) for pod in model.pods):
        yield from _gone(model, complaints, seen)
    yield from _half_groups(model)
    for name, looks in model.engines.items():
        yield from _engine(name, looks)


def _missing(model: ServedModel) -> int:
    spec: Object = model.group["spec"] if model.group else {}
    return spec.get("replicas", 0) * spec.get("leaderWorkerTemplate", {}).get("size", 1) - len(model.pods)


def _pod(model: ServedModel, pod: Object, warning: str) -> Iterator[Finding]:
    name = pod["metadata"]["name"]
    log, reason, crash = model.logs.get(name, ""), trouble(pod, warning), crash_text(pod, warning)
    if not crash and "not ready yet" in reason:
        measured = measured_against(log, planned_of(model))
        yield Finding(
            subject=name,
            severity="ok",
            title="is starting, without problems so far",
            evidence="; ".join((stage_of(log) or last_words(log), *measured)),
        )
        return
    evidence = last_words(log) if crash else ""
    yield _finding(name, log if crash else "", crash or reason, otherwise=reason, evidence=evidence)


def planned_of(model: ServedModel) -> Planned:
    """Return the planned memory, from the arguments of the hook Job."""
    for job in model.jobs:
        for container in job.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            for argument in container.get("args") or ():
                if argument.startswith("--planned="):
                    return _planned(json.loads(argument.removeprefix("--planned=")))
    return Planned()


def _planned(values: Mapping[str, float]) -> Planned:
    low, high = values.get("kvCacheTokensLow"), values.get("kvCacheTokensHigh")
    return Planned(
        weights_gib_high=values.get("weightsGibHigh"),
        kv_cache_tokens_low=None if low is None else int(low),
        kv_cache_tokens_high=None if high is None else int(high),
    )


def _gone(model: ServedModel, complaints: Mapping[str, Complaint], seen: set[str]) -> Iterator[Finding]:
    """Yield why deleted pods ended. Their events remain for an hour."""
    present = {pod["metadata"].get("uid") for pod in model.pods}
    of_the_model = re.compile(rf"{re.escape(model.name)}-\d+(?:-\d+)?")
    for uid, one in complaints.items():
        cause = cause_of(one.text)
        if uid in present or not of_the_model.fullmatch(one.about) or not ENDED_PODS.match(one.text):
            continue
        if cause is None or cause.code in seen:
            continue
        seen.add(cause.code)
        yield _finding(f"{one.about} (gone)", one.text, otherwise=one.text)


def _members(indexes: list[str]) -> str:
    return ", ".join("its leader" if index == "0" else f"worker {index}" for index in indexes)


def _half_groups(model: ServedModel) -> Iterator[Finding]:
    """Yield the groups with missing pods."""
    size = model.group["spec"]["leaderWorkerTemplate"].get("size", 1) if model.group else 1
    groups: dict[str, list[Object]] = {}
    for pod in model.pods:
        if not pod["metadata"].get("deletionTimestamp"):
            groups.setdefault(pod["metadata"].get("labels", {}).get(GROUP_LABEL, "?"), []).append(pod)
    for index, pods in sorted(groups.items()):
        if size <= len(pods):
            continue
        missing = sorted(
            {str(i) for i in range(size)} - {pod["metadata"]["labels"].get(INDEX_LABEL, "") for pod in pods}
        )
        yield Finding(
            subject=f"{model.name}, group {index}",
            severity="problem",
            title=f"incomplete group: {len(pods)} of {size} pods, without {_members(missing)}",
            remedy="LeaderWorkerSet creates the group again; if not within two minutes, check its controller: kubectl "
            "-n lws-system get pods",
            code="half_group",
        )


def _engine(name: str, looks: EngineLooks) -> Iterator[Finding]:
    state = looks.after
    if state.dead:
        yield _finding(name, state.trouble, otherwise=state.trouble)
    elif state.trouble:
        yield Finding(
            subject=name,
            severity="unknown",
            title=f"is ready, but its server did not answer: {state.trouble}",
            remedy="a busy server may answer late; the probe restarts a server that is silent for two minutes",
            code="no_answer",
        )
    elif not state.running:
        yield Finding(subject=name, severity="ok", title="answers, idle")
    elif state.fingerprint and state.fingerprint == looks.before.fingerprint:
        yield Finding(
            subject=name,
            severity="problem",
            title=f"seems stuck: {state.running} requests running, and no progress in {looks.seconds:.0f} s",
            remedy=f"wait: the probe restarts the group after {STALL_SECONDS} s without a token",
            code="seems_stuck",
        )
    else:
        yield Finding(
            subject=name, severity="ok", title=f"answers, busy: {state.running} running, {state.waiting} waiting"
        )


def _finding(subject: str, *texts: str, otherwise: str, evidence: str = "") -> Finding:
    """Return a finding with the known cause in the texts, or with `otherwise` when there is none."""
    cause = cause_of(*texts)
    if cause is None:
        return Finding(
            subject=subject, severity="problem", title=masked(otherwise)[:300], evidence=masked(evidence)[:300]
        )
    shows = next((text for text in texts if text and cause_of(text) is cause), texts[-1])
    return Finding(
        subject=subject,
        severity="problem",
        title=cause.title,
        evidence=line_with_cause(shows, cause),
        remedy=cause.remedy,
        code=cause.code,
    )


def _healthy(model: ServedModel) -> Finding:
    parked = model.group is not None and not model.group["spec"].get("replicas")
    return Finding(subject=model.name, severity="ok", title="is parked" if parked else "is healthy")
