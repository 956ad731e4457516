"""Parses the lines of a vLLM server's log: process, level, and whether the line is useful. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

PROCESS = re.compile(r"^\((?P<process>[A-Za-z]\w*) pid=\d+\) ?")
"""vLLM's prefix of each line of its processes. Lines from an ending interpreter may lack it (0.32)."""
LEVEL = re.compile(r"^(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)(?::\s+| \d\d-\d\d [\d:]+ \[[^\]]*\] ?)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# The rest of a progress bar at the end of a cut log, and Python's messages at exit.
NOISE = re.compile(
    r"^For further information visit|^warnings\.warn\(|resource_tracker|^usage: |^\s*\^+\s*$"
    r"|^File \"|^Traceback \(most recent|^\[rank\d+\]: Traceback|^The above exception was|^During handling of"
    r"|^You can update Transformers|process group has NOT been destroyed|^[|~\s^]*$"
)
HINT = re.compile(r"https?://\S+['\"]?\.?$")
"""A line that ends in a URL."""
ERROR = re.compile(
    r"^(?:\[rank\d+\]: ?)?(?:[A-Za-z_]\w*\.)*(?:\w*(?:Error|Exception|Interrupt)|SystemExit|Failed|FAILED)\b ?:"
    r"|^Value error, |\[type=\w+, input_value=|^Assertion failed|: error: |^FAILED |^fatal|terminate called"
)
# pydantic prints the field and its error on two lines.
FIELD = re.compile(r"^[A-Za-z_]\w*(?:[.\[][\w.,\[\]-]*)?$")
OF_A_FIELD = re.compile(r"^(?!Value error|Assertion failed).+\[type=\w+, input_value=")
CONSEQUENCE = re.compile(
    r"Engine core initialization failed|EngineDeadError|WorkerProc initialization failed|RuntimeError: cancelled"
    r"|\d+ validation errors? for |Engine process failed to start|ChildFailedError|See stack trace"
)
RETRIED = re.compile(r"thrown while requesting|[Rr]etrying|[Tt]rying to resume|will be retried|[Ww]ill ignore error")
DUMPED = re.compile(r"^Dumping (?:input data|scheduler)")
# Only the API server's line counts: a failing server also stops its engine before it prints its own error.
STOPPED = re.compile(r"API server: shutdown triggered")
SERVING = re.compile(r"Application startup complete")
PASSED = re.compile(
    r"Starting to load model|Loading weights took|Model loading took|KV cache size: [\d,]+ tokens"
    r"|Graph capturing finished|init engine \(profile|Application startup complete"
)
"""Lines that vLLM logs after a successful part of its start."""


@dataclass(frozen=True)
class Line:
    """One line of a log, without its prefix."""

    text: str
    process: str = ""
    """The vLLM process that wrote it, such as Worker_TP0. Empty when unknown."""
    level: str = ""
    """Empty for lines without a logger, such as a traceback."""

    @property
    def is_quiet(self) -> bool:
        """Whether it is not an error, because of its level or because the step was retried."""
        return self.level in ("DEBUG", "INFO", "WARNING") or bool(RETRIED.search(self.text) or DUMPED.match(self.text))

    @property
    def is_noise(self) -> bool:
        """Whether it has no useful information."""
        if not self.text or NOISE.search(self.text):
            return True
        return bool(HINT.search(self.text) and not ERROR.search(self.text))


def read(text: str) -> list[Line]:
    """Return the lines of a log up to the request to stop, because later lines are not failures."""
    lines: list[Line] = []
    for raw in text.splitlines():
        # A progress bar overwrites itself, so only its last state counts.
        line = COLOUR.sub("", raw.rstrip("\r").rpartition("\r")[2]).strip()
        process = PROCESS.match(line)
        line = line[process.end() :].strip() if process else line
        level = LEVEL.match(line)
        parsed = Line(
            text=line[level.end() :].strip() if level else line,
            process=process["process"] if process else "",
            level=level["level"] if level else "",
        )
        if parsed.level and STOPPED.search(parsed.text):
            break
        if OF_A_FIELD.match(parsed.text) and lines and FIELD.match(lines[-1].text):
            parsed = replace(parsed, text=f"{lines[-1].text}: {parsed.text}")
        lines.append(parsed)
    return without_recovered(lines)


def without_recovered(lines: list[Line]) -> list[Line]:
    """Remove errors that vLLM recovered from: the same process, or one started later, made progress after them."""
    last_serving = last_of_start = -1
    by_process: dict[str, int] = {}
    for at, line in enumerate(lines):
        if line.level in ("", "INFO") and PASSED.search(line.text):
            by_process[line.process] = at
            last_of_start = at
            if SERVING.search(line.text):
                last_serving = at
    kept: list[Line] = []
    for at, line in enumerate(lines):
        # The API server starts the other processes, so its lines before they load are resolved.
        until = last_of_start if line.process in ("", "APIServer") else by_process.get(line.process, -1)
        if at > max(until, last_serving):
            kept.append(line)
    return kept
