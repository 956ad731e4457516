"""Copies the output of vLLM and its processes to the container's log, byte for byte, and keeps the last lines."""

from __future__ import annotations

import os
import threading
from collections import deque

KEPT_LINES = 400
MAX_LINE_LENGTH = 4000


class ContainerLog:
    """Copies a pipe to the container's standard output.

    vLLM's processes share one pipe for standard output and standard error, which keeps their order.
    """

    def __init__(self, target: int = 1) -> None:
        self._target = target
        self._source, self.pipe = os.pipe()
        """`pipe` is the program's standard output and standard error."""
        self._lines: deque[bytes] = deque(maxlen=KEPT_LINES)
        self._rest = b""
        self._thread = threading.Thread(target=self._copy, daemon=True)

    def start(self) -> None:
        """Start to copy. Call this after the program has opened the pipe."""
        os.close(self.pipe)
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Wait for the remaining output. A process that outlives its program may keep the pipe open."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def tail(self) -> str:
        """Return the last lines."""
        return b"\n".join([*self._lines, self._rest]).decode(errors="replace")

    def say(self, text: str) -> None:
        """Write a line from the supervisor, which is not part of `tail`."""
        _write(self._target, f"vllm-eks: {text}\n".encode(errors="replace"))

    def _copy(self) -> None:
        while data := os.read(self._source, 65536):
            _write(self._target, data)
            *whole, rest = (self._rest + data).split(b"\n")
            self._lines.extend(line[:MAX_LINE_LENGTH] for line in whole)
            self._rest = rest[-MAX_LINE_LENGTH:]


def _write(target: int, data: bytes) -> None:
    """Write all data. Errors are ignored, so that a broken log does not stop the program."""
    try:
        while data:
            data = data[os.write(target, data) :]
    except OSError:
        pass
