"""Records what the hook Job has seen of a model's pods: crashes, problems, and the progress of their starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from vllm_eks.pods.crashes import Crash
from vllm_eks.pods.kube_get import TEMPORARY_ERRORS
from vllm_eks.pods.patience import Patience
from vllm_eks.pods.progress import Planned, measured_against, stage_of
from vllm_eks.pods.rollout import RolloutState


class Api(Protocol):
    """The calls to one namespace of Kubernetes. Each raises one of TEMPORARY_ERRORS when there is no answer."""

    def leader_worker_set(self, name: str, /) -> Any:  # noqa: ANN401  (JSON)
        """Return a LeaderWorkerSet."""
        ...

    def core(self, path: str, /) -> Any:  # noqa: ANN401  (JSON)
        """Return the objects at a path of the core group."""
        ...

    def log(self, pod: str, /, *, container: str = "", before: bool = False) -> str:
        """Return the end of a container's log."""
        ...


class Watch:
    """The history of a wait. It keeps crashes after their pods are deleted."""

    def __init__(self, kubernetes: Api, planned: Planned, progress_seconds: float) -> None:
        self._kubernetes, self._planned, self._seconds = kubernetes, planned, progress_seconds
        self._patience = Patience()
        self._logs: dict[str, str] = {}
        self.last_crash = ""
        self._stages = ""
        self._looked_at = self._told_at = -float("inf")
        self._memory: dict[str, list[str]] = {}

    def record(self, rollout: RolloutState, now: float) -> str:
        """Record a state, and return the reason to stop waiting, or an empty string."""
        for crash in rollout.crashes:
            if not self._logs.get(crash.identity):
                self._logs[crash.identity] = self._log_of(crash)
            self._patience.see_crash(crash, self._logs[crash.identity], now)
            self.last_crash = f"{crash.pod}: {crash.text}"
        for subject, text in rollout.troubles:
            self._patience.see_trouble(subject, text, now)
        return self._patience.verdict

    def progress(self, rollout: RolloutState, now: float) -> list[str]:
        """Return new progress lines, at most one set per `progress_seconds`."""
        if not rollout.starting or now - self._looked_at < self._seconds:
            return []
        self._looked_at = now
        progress: list[str] = []
        lines: list[str] = []
        for pod in rollout.starting:
            log = self._log_of(Crash(pod=pod, container="vllm"))
            if stage := stage_of(log):
                progress.append(f"{pod} {stage}")
            lines += self._memory_of(pod, log)
        stages = "; ".join(progress)
        if stages != self._stages and now - self._told_at >= self._seconds:
            self._stages, self._told_at = stages, now
            lines.insert(0, stages)
        return lines

    def memory(self, pods: Sequence[str]) -> list[str]:
        """Return the new memory lines of pods that are now ready."""
        return [line for pod in pods for line in self._memory_of(pod, self._log_of(Crash(pod=pod, container="vllm")))]

    def _memory_of(self, pod: str, log: str) -> list[str]:
        printed = self._memory.setdefault(pod, [])
        new = [line for line in measured_against(log, self._planned) if line not in printed]
        printed += new
        return [f"{pod}: {line}" for line in new]

    def texts(self) -> list[str]:
        """Return the ends of all logs of crashes."""
        return list(self._logs.values())

    def _log_of(self, crash: Crash) -> str:
        try:
            return self._kubernetes.log(crash.pod, container=crash.container, before=crash.before)
        except TEMPORARY_ERRORS:
            # The group restarted first. The termination message still has the last lines.
            return ""
