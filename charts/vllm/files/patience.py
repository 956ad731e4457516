"""Decides when to stop waiting: a permanent failure was seen again, or persists. Pure: the caller passes the time."""

from __future__ import annotations

import math
import re

from vllm_eks.pods.cause import Cause
from vllm_eks.pods.causes import cause_of, last_words
from vllm_eks.pods.crashes import Crash

CRASHES = 2
"""Crashes of a pod with the same permanent cause that end the wait."""
UNKNOWN_CRASHES = 4
"""Crashes of a pod with the same last log line and an unknown cause that end the wait."""
RESOLVED_AFTER_SECONDS = 60
"""A problem that was not seen for this long is resolved. The kubelet reports some problems only from time to time."""


class Patience:
    """Records crashes and problems, and decides when to stop waiting."""

    def __init__(self) -> None:
        self._crashes: dict[tuple[str, str], set[str]] = {}
        self._first_crash: dict[tuple[str, str], float] = {}
        self._keys: dict[str, tuple[Cause | None, str]] = {}
        self._since: dict[str, tuple[float, float]] = {}
        self._enough = ""

    def see_crash(self, crash: Crash, log: str, now: float) -> None:
        """Count a crash once, by its cause or, when that is unknown, its last log line. `now` is in seconds."""
        known = f"{crash.identity} {len(log)}"
        if known not in self._keys:
            cause = cause_of(log, crash.text)
            words = cause.code if cause else re.sub(r"\d+", "#", last_words(log) or crash.text)
            self._keys[known] = cause, words
        cause, words = self._keys[known]
        key = crash.pod, words
        seen = self._crashes.setdefault(key, set())
        seen.add(crash.identity)
        first = self._first_crash.setdefault(key, now)
        enough = CRASHES if cause else UNKNOWN_CRASHES
        patience = cause.patience_seconds if cause else 0
        if len(seen) >= enough and now - first >= patience:
            self._enough = f"{crash.pod} crashed {len(seen)} times for the same reason, so waiting does not help"

    def see_trouble(self, subject: str, text: str, now: float) -> None:
        """Record a problem other than a crash, such as a missing image. `now` is in seconds."""
        cause = cause_of(text)
        if cause is None or math.isinf(cause.patience_seconds):
            return
        since, last = self._since.get(cause.code, (now, now))
        since = now if now - last > RESOLVED_AFTER_SECONDS else since
        self._since[cause.code] = since, now
        if now - since >= cause.patience_seconds:
            self._enough = (
                f"{subject} has failed for {now - since:.0f} s, and waiting does not help"
                if now > since
                else f"{subject} has failed, and waiting does not help"
            )

    @property
    def verdict(self) -> str:
        """The reason to stop waiting, or an empty string."""
        return self._enough
