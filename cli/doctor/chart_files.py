"""What the chart's own scripts know: causes, rollouts and the engine's metrics, in the same words here as there."""

import sys
from pathlib import Path

FILES = Path(__file__).parent.parent.parent / "charts" / "vllm" / "files"

# The scripts run in pods as plain files beside each other, so they are no package here either.
if str(FILES) not in sys.path:
    sys.path.append(str(FILES))

from causes import Cause, cause_of, last_words, masked, telling_line  # noqa: E402
from engine import EngineState, state_of  # noqa: E402
from rollout import crash_of, is_ready, is_restarted, trouble, warning_about, warnings_by_uid  # noqa: E402

__all__ = [
    "Cause",
    "EngineState",
    "cause_of",
    "crash_of",
    "is_ready",
    "is_restarted",
    "last_words",
    "masked",
    "state_of",
    "telling_line",
    "trouble",
    "warning_about",
    "warnings_by_uid",
]
