"""Find what a model does not serve for, in what logs, events and conditions say; each cause has its remedy.

The supervisor of the model pods, the hook Job and `vllm-eks doctor` speak from this one table. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
LONGEST = 600
"""Characters of a line that are told; a refusal that lists all architectures has thousands."""


def cause_of(text: str, *more: str) -> Cause | None:
    """Return the cause that explains most of what texts say, the later line's where two explain as much; None for none.

    Each text is one container's log, or what Kubernetes says. What comes after an ordinary stop, what a logger calls a
    warning, and what a process got over says nothing.
    """
    found = [hit for hit in map(_best, (text, *more)) if hit]
    return max(found, key=lambda hit: hit[0].explains)[0] if found else None


def telling_line(text: str, cause: Cause) -> str:
    """Return the line of a text that shows the cause, without secrets and not too long."""
    signs = re.compile(cause.signs)
    shown = [line.text for line in read(text) if signs.search(_said(line))]
    return masked(shown[-1] if shown else last_words(text))[:LONGEST]


def last_words(text: str) -> str:
    """Return the line of a log that tells why its program ended: of its cause where that is known, else its last error.

    Never a hint at a web page, a warning of Python's at its end or a frame of a traceback; empty for an empty log.
    """
    best = _best(text)
    if best and best[0].explains > SYMPTOM:
        return masked(best[1].text)[:LONGEST]
    lines = [line for line in read(text) if not line.is_noise]
    errors = [line for line in lines if not line.is_quiet and ERROR.search(line.text)]
    own = [line for line in errors if not CONSEQUENCE.search(line.text)]
    if not lines:
        # All of it is noise, or before the last part of a start that went well: the end as it is.
        lines = [Line(PROCESS.sub("", line.strip())) for line in text.splitlines() if line.strip()]
    told = own or errors or lines
    return masked(told[-1].text)[:LONGEST] if told else ""


def _best(text: str) -> tuple[Cause, Line] | None:
    """Return the cause that explains most of one text, and the last line that shows it."""
    lines = read(text)
    best: tuple[Cause, Line] | None = None
    for line in lines:
        if line.is_noise:
            continue
        said, table = _said(line), _QUIET if line.is_quiet else _LOUD
        least = best[0].explains if best else 0
        shown = [cause for cause, signs in table if cause.explains >= least and signs.search(said)]
        if shown:
            # Of one line the first of the table, whose order is the finer one.
            best = max(shown, key=lambda cause: cause.explains), line
    if best and best[0].explains <= OUTER and best[0].code in ("dead", "killed"):
        return _BY_CODE[_end_of(lines)], best[1]
    return best


def _end_of(lines: Sequence[Line]) -> str:
    """Tell an engine that was killed from one that failed: who is killed says nothing."""
    errors = [line for line in lines if not line.is_quiet and ERROR.search(line.text)]
    failed = any(not CONSEQUENCE.search(line.text) for line in errors)
    if failed:
        return "dead"
    signs = re.compile(_BY_CODE["killed"].signs + "|Parent process exited, terminating worker queues")
    return "killed" if any(signs.search(line.text) for line in lines) else "dead"


def _said(line: Line) -> str:
    return usable_part(line.text)


def masked(text: str) -> str:
    """Return the text with whatever looks like a token blotted out; vLLM's own names begin with hf_ as well."""
    return re.sub(
        r"\bhf_(?!(?:overrides|config|text_config|token)\b)\w+"
        r"|(?<=[Bb]earer )\S+|\bsk-[\w-]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|(?<=X-Amz-Signature=)\w+"
        r"|(?<=X-Amz-Security-Token=)[^&\s]+",
        "***",
        text,
    )
