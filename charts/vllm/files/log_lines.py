"""Lines of a vLLM server's log: who wrote each, how loud, and whether it tells anything. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

PROCESS = re.compile(r"^\((?P<process>[A-Za-z]\w*) pid=\d+\) ?")
"""vLLM begins each line of its processes so; what a dying interpreter prints may lack it (0.32)."""
LEVEL = re.compile(r"^(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)(?::\s+| \d\d-\d\d [\d:]+ \[[^\]]*\] ?)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# The last line of a log that is cut in the middle of a progress bar, and what Python says at its end.
NOISE = re.compile(
    r"^For further information visit|^warnings\.warn\(|resource_tracker|^usage: |^\s*\^+\s*$"
    r"|^File \"|^Traceback \(most recent|^\[rank\d+\]: Traceback|^The above exception was|^During handling of"
    r"|^You can update Transformers|process group has NOT been destroyed|^[|~\s^]*$"
)
HINT = re.compile(r"https?://\S+['\"]?\.?$")
"""Ends in the address of a page to read, or of what was asked for."""
ERROR = re.compile(
    r"^(?:\[rank\d+\]: ?)?(?:[A-Za-z_]\w*\.)*(?:\w*(?:Error|Exception|Interrupt)|SystemExit|Failed|FAILED)\b ?:"
    r"|^Value error, |\[type=\w+, input_value=|^Assertion failed|: error: |^FAILED |^fatal|terminate called"
)
# pydantic names a field in a line of its own, and says in the next what is wrong with it.
FIELD = re.compile(r"^[A-Za-z_]\w*(?:[.\[][\w.,\[\]-]*)?$")
OF_A_FIELD = re.compile(r"^(?!Value error|Assertion failed).+\[type=\w+, input_value=")
CONSEQUENCE = re.compile(
    r"Engine core initialization failed|EngineDeadError|WorkerProc initialization failed|RuntimeError: cancelled"
    r"|\d+ validation errors? for |Engine process failed to start|ChildFailedError|See stack trace"
)
RETRIED = re.compile(r"thrown while requesting|[Rr]etrying|[Tt]rying to resume|will be retried|[Ww]ill ignore error")
DUMPED = re.compile(r"^Dumping (?:input data|scheduler)")
# The server's word and no engine's: a server that fails tells its engine to stop, too, before its own error is printed.
STOPPED = re.compile(r"API server: shutdown triggered")
SERVING = re.compile(r"Application startup complete")
PASSED = re.compile(
    r"Starting to load model|Loading weights took|Model loading took|KV cache size: [\d,]+ tokens"
    r"|Graph capturing finished|init engine \(profile|Application startup complete"
)
"""What vLLM says once a part of its start went well."""


@dataclass(frozen=True)
class Line:
    """One line of a log, without its beginning."""

    text: str
    process: str = ""
    """Which of vLLM's processes wrote it, such as Worker_TP0; empty where it does not say."""
    level: str = ""
    """Empty for what no logger wrote, such as a traceback."""

    @property
    def is_quiet(self) -> bool:
        """Tell whether it is no error of its own, by its level or since it was tried again."""
        return self.level in ("DEBUG", "INFO", "WARNING") or bool(RETRIED.search(self.text) or DUMPED.match(self.text))

    @property
    def is_noise(self) -> bool:
        """Tell whether it says nothing to anybody."""
        if not self.text or NOISE.search(self.text):
            return True
        return bool(HINT.search(self.text) and not ERROR.search(self.text))


def read(text: str) -> list[Line]:
    """Return the lines of a log up to where it was asked to stop: what comes then is no failure."""
    found = []
    for raw in text.splitlines():
        # A progress bar writes over itself; what counts is what was there last.
        line = COLOUR.sub("", raw.rstrip("\r").rpartition("\r")[2]).strip()
        process = PROCESS.match(line)
        line = line[process.end() :].strip() if process else line
        level = LEVEL.match(line)
        one = Line(
            text=line[level.end() :].strip() if level else line,
            process=process["process"] if process else "",
            level=level["level"] if level else "",
        )
        if one.level and STOPPED.search(one.text):
            break
        if OF_A_FIELD.match(one.text) and found and FIELD.match(found[-1].text):
            one = replace(one, text=f"{found[-1].text}: {one.text}")
        found.append(one)
    return survived(found)


def survived(lines: list[Line]) -> list[Line]:
    """Leave out what went wrong and was overcome: the same process, or one started after it, came further."""
    last_serving = last_of_start = -1
    by_process: dict[str, int] = {}
    for at, line in enumerate(lines):
        if line.level in ("", "INFO") and PASSED.search(line.text):
            by_process[line.process] = at
            last_of_start = at
            if SERVING.search(line.text):
                last_serving = at
    kept = []
    for at, line in enumerate(lines):
        # The API server starts the others, so it is past what it said before they load.
        until = last_of_start if line.process in ("", "APIServer") else by_process.get(line.process, -1)
        if at > max(until, last_serving):
            kept.append(line)
    return kept
