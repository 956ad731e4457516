"""The data of a known failure cause. Standard library only, because the chart's scripts run in pods."""

from __future__ import annotations

import math
from dataclasses import dataclass

NEVER, MAY_PASS = 0.0, math.inf
FIRST, ROOT, OUTER, SYMPTOM = 4, 3, 2, 1
"""How much a cause explains. FIRST causes other errors; a SYMPTOM can result from any cause."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One known failure cause."""

    code: str
    title: str
    remedy: str
    signs: str
    """A regular expression for the log lines or messages of this cause."""
    explains: int = ROOT
    patience_seconds: float = MAY_PASS
    """Seconds to wait for the cause to pass, or NEVER when only an edit fixes it."""
    quiet: bool = False
    """Whether a line at level INFO or WARNING also counts."""

    @property
    def sentence(self) -> str:
        """The cause and its fix, as one sentence."""
        return f"{self.title}: {self.remedy}"
