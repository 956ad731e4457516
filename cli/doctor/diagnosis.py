"""From facts to findings. Pure: no network, no clock."""

from collections.abc import Iterator

from cli.doctor.chart_files import (
    cause_of,
    crash_of,
    is_ready,
    masked,
    telling_line,
    trouble,
    warning_about,
    warnings_by_uid,
)
from cli.doctor.facts import EngineLooks, Facts, Finding, ModelFacts, NodeGroupFacts, Object

GROUP_LABEL = "leaderworkerset.sigs.k8s.io/group-index"
INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
STALL_SECONDS = 300
"""When the liveness probe calls an engine stuck (charts/vllm/values.yaml, health.stallSeconds)."""


def diagnose(facts: Facts) -> list[Finding]:
    """Return what is wrong, and for each model with nothing wrong that it is well."""
    found = [Finding(subject=what, severity="unknown", title=why) for what, why in facts.unknown]
    for group in facts.node_groups:
        found += _node_group(group)
    for model in facts.models:
        of_model = list(_model(model))
        found += of_model or [_well(model)]
    return found


def _node_group(group: NodeGroupFacts) -> Iterator[Finding]:
    for code, message in group.issues:
        text = f"{code}: {message}"
        yield _finding(f"node group {group.name}", text, otherwise=f"EKS reports {code}")
    if not group.issues and group.status not in ("ACTIVE", "UPDATING"):
        yield Finding(
            subject=f"node group {group.name}",
            severity="problem" if "FAILED" in group.status or group.status == "DEGRADED" else "ok",
            title=f"is {group.status}, and EKS names no cause",
        )


def _model(model: ModelFacts) -> Iterator[Finding]:
    yield from _jobs(model)
    if model.group is None:
        yield Finding(
            subject=model.name,
            severity="problem",
            title=f"there is no LeaderWorkerSet {model.name} in {model.namespace}",
            remedy="is this the stack's cluster (--kubeconfig), and has pulumi up come so far?",
            code="no_group",
        )
        return
    warnings = warnings_by_uid(model.events)
    if not model.pods and model.group["spec"].get("replicas"):
        said = "; ".join(text for about, text in warnings.values() if about.startswith(model.name))
        yield _finding(model.name, said, otherwise="no pod was made")
    seen: set[str] = set()
    for pod in model.pods:
        if not is_ready(pod):
            finding = _pod(model, pod, warning_about(pod, warnings))
            # Pods of a group end together, for one cause.
            if finding.code not in seen or not finding.code:
                yield finding
            seen.add(finding.code)
    yield from _restarts(model, warnings, seen)
    yield from _half_groups(model)
    for name, looks in model.engines.items():
        yield from _engine(name, looks)


def _pod(model: ModelFacts, pod: Object, warning: str) -> Finding:
    name = pod["metadata"]["name"]
    said = trouble(pod, warning)
    text = "\n".join((model.logs.get(name, ""), crash_of(pod, warning), said, warning))
    finding = _finding(name, text, otherwise=said)
    if finding.code or crash_of(pod, warning) or "not ready yet" not in said:
        return finding
    return Finding(
        subject=name,
        severity="ok",
        title="starts, and nothing is wrong with it so far",
        evidence=masked(_last_line(model.logs.get(name, "")))[:300],
    )


def _restarts(model: ModelFacts, warnings: dict[str, tuple[str, str]], seen: set[str]) -> Iterator[Finding]:
    """Yield what ended pods that are no more: their events outlive them for an hour."""
    present = {pod["metadata"].get("uid") for pod in model.pods}
    for uid, (about, text) in warnings.items():
        cause = cause_of(text)
        if uid in present or not about.startswith(f"{model.name}-") or cause is None or cause.code in seen:
            continue
        seen.add(cause.code)
        yield Finding(
            subject=f"{about} (gone)",
            severity="problem",
            title=cause.title,
            evidence=telling_line(text, cause),
            remedy=cause.remedy,
            code=cause.code,
        )


def _half_groups(model: ModelFacts) -> Iterator[Finding]:
    """Yield the groups of which some pods stand ready and others do not exist."""
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
            title=f"half a group: {len(pods)} of {size} pods, without worker {', '.join(missing)}",
            remedy="LeaderWorkerSet makes the group anew by itself; if not within two minutes, look at its controller: "
            "kubectl -n lws-system get pods",
            code="half_group",
        )


def _jobs(model: ModelFacts) -> Iterator[Finding]:
    for job in model.jobs:
        name = job["metadata"]["name"]
        log = model.job_logs.get(name, "")
        for condition in job.get("status", {}).get("conditions", []):
            if condition["type"] == "Failed" and condition["status"] == "True":
                text = f"{log}\n{condition.get('reason', '')} {condition.get('message', '')}"
                yield _finding(f"job {name}", text, otherwise="failed", evidence=_last_line(log))


def _engine(name: str, looks: EngineLooks) -> Iterator[Finding]:
    state = looks.after
    if state.dead:
        yield _finding(name, state.trouble, otherwise=state.trouble)
    elif state.trouble:
        yield Finding(
            subject=name,
            severity="unknown",
            title=f"is ready, but its server gave no answer here: {state.trouble}",
            remedy="a busy server may answer late; the probe restarts one that stays silent for two minutes",
            code="no_answer",
        )
    elif not state.running:
        yield Finding(subject=name, severity="ok", title="answers, idle")
    elif state.fingerprint and state.fingerprint == looks.before.fingerprint:
        yield Finding(
            subject=name,
            severity="problem",
            title=f"seems stuck: {state.running} requests running, and nothing moved in {looks.seconds:.0f} s",
            remedy=f"wait: the probe restarts the group after {STALL_SECONDS} s without a token, and not before",
            code="seems_stuck",
        )
    else:
        yield Finding(
            subject=name, severity="ok", title=f"answers, busy: {state.running} running, {state.waiting} waiting"
        )


def _finding(subject: str, text: str, *, otherwise: str, evidence: str = "") -> Finding:
    """Return the known cause that a text shows, or `otherwise` where it shows none."""
    cause = cause_of(text)
    if cause is None:
        return Finding(
            subject=subject, severity="problem", title=masked(otherwise)[:300], evidence=masked(evidence)[:300]
        )
    return Finding(
        subject=subject,
        severity="problem",
        title=cause.title,
        evidence=telling_line(text, cause),
        remedy=cause.remedy,
        code=cause.code,
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _well(model: ModelFacts) -> Finding:
    parked = model.group is not None and not model.group["spec"].get("replicas")
    return Finding(subject=model.name, severity="ok", title="is parked" if parked else "is well")
