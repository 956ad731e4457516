"""What a known cause is. Standard library only: the chart's scripts run in pods as plain files beside each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

NEVER, MAY_PASS = 0.0, math.inf
FIRST, ROOT, OUTER, SYMPTOM = 4, 3, 2, 1
"""How much a cause explains: FIRST brings other errors of its own with it, SYMPTOM is what any cause may end in."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One known cause."""

    code: str
    title: str
    remedy: str
    signs: str
    """A regular expression of a line that is said where this is the cause."""
    explains: int = ROOT
    patience_seconds: float = MAY_PASS
    """How long it is worth waiting for this to pass, in seconds: NEVER for what only an edit mends."""
    quiet: bool = False
    """The line is also a sign where it is logged as information or as a warning."""

    @property
    def sentence(self) -> str:
        """What it is and what to do, as people read it."""
        return f"{self.title}: {self.remedy}"
