"""The supervisor's own metrics: in which phase the group's start is, and since when. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable

from vllm_eks.pods.container_log import ContainerLog
from vllm_eks.pods.group import Group
from vllm_eks.pods.progress import ENGINE_STARTS, PHASES, SERVING, WAITS_FOR_GROUP, phase_of


class StartMetrics:
    """The metrics of one start of a leader. May be called from several threads."""

    def __init__(
        self, group: Group, log: ContainerLog, *, budget_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._group, self._log, self._budget_seconds = group, log, budget_seconds
        self._phase = WAITS_FOR_GROUP
        self._began = clock()

    def text(self, engine_answers: bool) -> str:
        """Return the metrics in the Prometheus exposition format. `engine_answers`: in this scrape."""
        phase = self._look()
        lines = [
            *_gauge("vllm_eks_engine_up", "Whether vLLM answered this scrape.", {"": float(engine_answers)}),
            *_gauge("vllm_eks_start_time_seconds", "When this start began, in Unix time.", {"": self._began}),
            *_gauge("vllm_eks_startup_budget_seconds", "The limit of a start.", {"": self._budget_seconds}),
            *_gauge(
                "vllm_eks_startup_phase",
                "1 for the current phase of the start, and 0 for the others.",
                {f'{{phase="{one}"}}': float(one == phase) for one in PHASES},
            ),
        ]
        return "\n".join(lines) + "\n"

    def _look(self) -> str:
        if self._group.serving:
            self._phase = SERVING
        elif self._group.whole and self._phase != SERVING:
            # The log has only its last lines, so a phase is kept until there is a later one.
            before = ENGINE_STARTS if self._phase == WAITS_FOR_GROUP else self._phase
            self._phase = phase_of(self._log.tail(), before)
        return self._phase


def _gauge(name: str, meaning: str, samples: dict[str, float]) -> list[str]:
    values = [f"{name}{labels} {value!r}" for labels, value in samples.items()]
    return [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", *values]
