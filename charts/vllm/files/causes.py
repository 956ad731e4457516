"""Finds why a model does not serve, in logs, events and conditions. Each cause has a fix.

The supervisor of the model pods, the hook Job and `vllm-eks doctor` all use this table. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from vllm_eks.pods.cause import OUTER, SYMPTOM, Cause
from vllm_eks.pods.cluster_causes import CLUSTER_CAUSES
from vllm_eks.pods.log_lines import CONSEQUENCE, ERROR, PROCESS, Line, read
from vllm_eks.pods.machine_causes import MACHINE_CAUSES
from vllm_eks.pods.model_causes import MODEL_CAUSES
from vllm_eks.pods.scheduling import usable_part

CAUSES = (*MODEL_CAUSES, *MACHINE_CAUSES, *CLUSTER_CAUSES)
_LOUD = [(cause, re.compile(cause.signs)) for cause in CAUSES]
_QUIET = [(cause, signs) for cause, signs in _LOUD if cause.quiet]
_BY_CODE = {cause.code: cause for cause in CAUSES}
MAX_LINE_LENGTH = 600
"""Longest part of a line that is shown, in characters. An error that lists all architectures has thousands."""


def cause_of(text: str, *more: str) -> Cause | None:
    """Return the cause that explains most in the texts, or None. Of two that explain as much, the later line's wins.

    Each text is one container's log or a message from Kubernetes. Lines after an ordinary stop, warnings, and errors
    that a process recovered from are ignored.
    """
    hits = [hit for hit in map(_best, (text, *more)) if hit]
    return max(hits, key=lambda hit: hit[0].explains)[0] if hits else None


def line_with_cause(text: str, cause: Cause) -> str:
    """Return the line of a text that shows the cause, with secrets masked and cut to MAX_LINE_LENGTH."""
    signs = re.compile(cause.signs)
    matches = [line.text for line in read(text) if signs.search(usable_part(line.text))]
    return masked(matches[-1] if matches else last_words(text))[:MAX_LINE_LENGTH]


def last_words(text: str) -> str:
    """Return the log line that best explains why the program ended: that of a known cause, or else the last error.

    Links to web pages, Python's warnings at exit and traceback frames are never returned. Empty for an empty log.
    """
    best = _best(text)
    if best and best[0].explains > SYMPTOM:
        return masked(best[1].text)[:MAX_LINE_LENGTH]
    lines = [line for line in read(text) if not line.is_noise]
    errors = [line for line in lines if not line.is_quiet and ERROR.search(line.text)]
    own = [line for line in errors if not CONSEQUENCE.search(line.text)]
    if not lines:
        # All lines are noise, or precede a successful part of the start: use the end of the log.
        lines = [Line(PROCESS.sub("", line.strip())) for line in text.splitlines() if line.strip()]
    candidates = own or errors or lines
    return masked(candidates[-1].text)[:MAX_LINE_LENGTH] if candidates else ""


@lru_cache(maxsize=4)  # cause_of and last_words are asked of the same texts
def _best(text: str) -> tuple[Cause, Line] | None:
    """Return the cause that explains most in one text, and the last line that shows it."""
    lines = read(text)
    best: tuple[Cause, Line] | None = None
    for line in lines:
        if line.is_noise:
            continue
        text, table = usable_part(line.text), _QUIET if line.is_quiet else _LOUD
        least = best[0].explains if best else 0
        causes = [cause for cause, signs in table if cause.explains >= least and signs.search(text)]
        if causes:
            # When several causes match a line, the first in the table wins.
            best = max(causes, key=lambda cause: cause.explains), line
    if best and best[0].explains <= OUTER and best[0].code in ("dead", "killed"):
        return _BY_CODE[_end_of(lines)], best[1]
    return best


def _end_of(lines: Sequence[Line]) -> str:
    """Return `killed` or `dead`: a killed engine logs no error of its own."""
    errors = [line for line in lines if not line.is_quiet and ERROR.search(line.text)]
    failed = any(not CONSEQUENCE.search(line.text) for line in errors)
    if failed:
        return "dead"
    signs = re.compile(_BY_CODE["killed"].signs + "|Parent process exited, terminating worker queues")
    return "killed" if any(signs.search(line.text) for line in lines) else "dead"


def masked(text: str) -> str:
    """Return the text with all secrets masked. Some of vLLM's own names also start with hf_ and are kept."""
    return re.sub(
        r"\bhf_(?!(?:overrides|config|text_config|token)\b)\w+"
        r"|(?<=[Bb]earer )\S+|\bsk-[\w-]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|(?<=X-Amz-Signature=)\w+"
        r"|(?<=X-Amz-Security-Token=)[^&\s]+",
        "***",
        text,
    )
