"""What the chart's own scripts know: causes, rollouts and the engine's metrics, in the same words here as there."""

import sys
from pathlib import Path

FILES = Path(__file__).parent.parent.parent / "charts" / "vllm" / "files"

# The scripts run in pods as plain files beside each other, so they are no package here either.
if str(FILES) not in sys.path:
    sys.path.append(str(FILES))

from causes import Cause, cause_of, last_words, masked, telling_line  # noqa: E402
from complaints import Complaint, complaint_about, complaints_by_uid, of_controllers  # noqa: E402
from crashes import Crash, crash_of, crashes_of, is_restarted  # noqa: E402
from engine import EngineState, state_of  # noqa: E402
from progress import Planned, measured_against, stage_of  # noqa: E402
from rollout import is_ready, trouble  # noqa: E402

__all__ = [
    "Cause",
    "Complaint",
    "Crash",
    "EngineState",
    "Planned",
    "cause_of",
    "complaint_about",
    "complaints_by_uid",
    "crash_of",
    "crashes_of",
    "is_ready",
    "is_restarted",
    "last_words",
    "masked",
    "measured_against",
    "of_controllers",
    "stage_of",
    "state_of",
    "telling_line",
    "trouble",
]
