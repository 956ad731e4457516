"""When waiting on is of no use: what never mends was seen again, or stays. Pure: the time is given."""

from __future__ import annotations

import math
import re

from vllm_eks.pods.cause import Cause
from vllm_eks.pods.causes import cause_of, last_words
from vllm_eks.pods.crashes import Crash

CRASHES = 2
"""So many ends of one pod's container for one cause that only an edit mends end the wait."""
UNKNOWN_CRASHES = 4
"""So many of one pod with the same last words do, where the cause is not known."""
FORGOTTEN_AFTER_SECONDS = 60
"""A trouble that was not seen for so long is over; the kubelet shows some of them only now and then."""


class Patience:
    """Remembers what was seen, and says when it is enough."""

    def __init__(self) -> None:
        self._crashes: dict[tuple[str, str], set[str]] = {}
        self._first_crash: dict[tuple[str, str], float] = {}
        self._keys: dict[str, tuple[Cause | None, str]] = {}
        self._since: dict[str, tuple[float, float]] = {}
        self._enough = ""

    def see_crash(self, crash: Crash, log: str, now: float) -> None:
        """Count a crash once, for its cause, or for its last words where no cause is known; `now` is in seconds."""
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
            self._enough = f"{crash.pod} crashed {len(seen)} times for the same reason, which waiting does not change"

    def see_trouble(self, subject: str, text: str, now: float) -> None:
        """Take note of a trouble that is no crash, such as an image that is not there; `now` is in seconds."""
        cause = cause_of(text)
        if cause is None or math.isinf(cause.patience_seconds):
            return
        since, last = self._since.get(cause.code, (now, now))
        since = now if now - last > FORGOTTEN_AFTER_SECONDS else since
        self._since[cause.code] = since, now
        if now - since >= cause.patience_seconds:
            self._enough = (
                f"{subject}: for {now - since:.0f} s, and waiting does not change it"
                if now > since
                else (f"{subject}: waiting does not change it")
            )

    @property
    def verdict(self) -> str:
        """Why waiting on is of no use; empty while it may be."""
        return self._enough
