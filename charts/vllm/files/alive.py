"""The leader's liveness and readiness probe: an engine that holds requests must do something with them.

vLLM's /health answers 200 as long as the API server believes in its engine, also when the engine is stuck (vllm#39863).
So this asks the metrics too: requests running, and no step of the engine for --stall-seconds, is stuck. An idle engine
is well, and so is a busy one, however long its answers take. Exit status 0: well; 1: not, and the last line says why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import EngineState, read_engine


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the probe before this one saw: the engine's fingerprint, and since when it is the same."""

    fingerprint: str
    since: float


def judge(state: EngineState, before: Memory | None, now: float, stall_seconds: float) -> tuple[str, Memory | None]:
    """Return what is wrong (empty: nothing) and what to remember. `now` is in seconds of a clock that only goes on."""
    if state.trouble:
        return state.trouble, before
    if not state.running or not state.fingerprint:
        return "", None
    if before is None or before.fingerprint != state.fingerprint or before.since > now:
        return "", Memory(fingerprint=state.fingerprint, since=now)
    still = now - before.since
    if still < stall_seconds:
        return "", before
    return f"stuck: {state.running} requests running and no token for {still:.0f} s", before


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one probe and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--stall-seconds", type=float, required=True)
    parser.add_argument("--timeout-seconds", type=float, default=10)
    parser.add_argument("--memory", type=Path, required=True, help="where one probe leaves a note for the next")
    parser.add_argument("--log", type=Path, default=Path("/proc/1/fd/1"), help="the container's own log")
    options = parser.parse_args(arguments)
    state = read_engine(options.url, timeout_seconds=options.timeout_seconds)
    wrong, memory = judge(state, recall(options.memory), time.monotonic(), options.stall_seconds)
    remember(options.memory, memory)
    if not wrong:
        return 0
    print(wrong)
    try:
        # The kubelet keeps a probe's words in an event only; the log is where people look, and what outlives the pod.
        with options.log.open("a") as log:
            log.write(f"vllm-eks probe: {wrong}\n")
    except OSError:
        pass
    return 1


def recall(path: Path) -> Memory | None:
    """Return the note of the probe before; None where there is none that can be read."""
    try:
        note = json.loads(path.read_text())
        return Memory(fingerprint=str(note["fingerprint"]), since=float(note["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(path: Path, memory: Memory | None) -> None:
    """Leave a note for the next probe. A full disk must not kill an engine: without a note nothing is ever stuck."""
    try:
        if memory is None:
            path.unlink(missing_ok=True)
            return
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"fingerprint": memory.fingerprint, "since": memory.since}))
        draft.replace(path)
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main())
