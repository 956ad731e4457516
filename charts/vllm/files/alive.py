"""Liveness and readiness of a model pod: a server that holds requests must do something with them.

vLLM's /health answers 200 as long as the API server believes in its engine, also when the engine is stuck (vllm#39863).
So this looks at the engine's progress too. Requests under way and no step of the engine for --stall-seconds is stuck:
at once where the engine itself said that it has them, and else (it hung while idle, and its numbers are of its last
step) when one token asked for does not come either: a client that reads slowly keeps a request open, too, and is no
reason to restart. An idle engine is well, and so is a busy one, however long its answers take.

Workers serve nothing; theirs (without --stall-seconds) asks the leader's /health, so that a group that loads counts as
disrupted. Exit status 0: well; 1: not, and the last line says why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    # Run as a file: the package is two folders up, here and where pods mount it.
    sys.path[0] = str(Path(__file__).absolute().parents[2])

from vllm_eks.pods.engine import EngineState, answers_a_token, read_engine, read_health


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the probe before this one saw: the engine's fingerprint, and since when it is the same."""

    fingerprint: str
    since: float


def judge(
    state: EngineState, before: Memory | None, now: float, stall_seconds: float, *, token_comes: Callable[[], bool]
) -> tuple[str, Memory | None]:
    """Return what is wrong (empty: nothing) and what to remember. `now` is in seconds of a clock that only goes on."""
    if state.trouble:
        return state.trouble, before
    if not state.requests or not state.fingerprint:
        return "", None
    fresh = Memory(fingerprint=state.fingerprint, since=now)
    if before is None or before.fingerprint != state.fingerprint or before.since > now:
        return "", fresh
    still = now - before.since
    if still < stall_seconds:
        return "", before
    if not state.running and token_comes():
        return "", fresh
    return f"stuck: {state.requests} requests running and no token for {still:.0f} s", before


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one probe and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--host-from", help="the environment variable that names the leader, in place of --host")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--stall-seconds", type=float, help="none: /health alone")
    parser.add_argument("--timeout-seconds", type=float, default=10, help="of each of up to four requests")
    parser.add_argument("--model", default="", help="the name to ask a token of")
    parser.add_argument("--keys", type=Path, default=Path("/secrets/api-key"))
    parser.add_argument("--memory", type=Path, default=Path("/tmp/vllm-eks-engine.json"), help="from probe to probe")
    parser.add_argument("--supervisor", type=Path, default=Path("/proc/1"))
    parser.add_argument("--log", type=Path, default=Path("/proc/1/fd/1"), help="the container's own log")
    options = parser.parse_args(arguments)
    wrong = supervisor_trouble(options.supervisor) or engine_trouble(options)
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


def engine_trouble(options: argparse.Namespace) -> str:
    """Return what is wrong with the server or its engine, or an empty string."""
    # A probe's command is not expanded by Kubernetes as a container's is.
    host = os.environ.get(options.host_from, options.host) if options.host_from else options.host
    url, seconds = f"http://{host}:{options.port}", options.timeout_seconds
    if options.stall_seconds is None:
        return read_health(url, timeout_seconds=seconds).trouble

    def token_comes() -> bool:
        key = first_key(options.keys)
        # Who cannot ask does not accuse.
        return not key or answers_a_token(url, model=options.model, key=key, timeout_seconds=seconds)

    state = read_engine(url, timeout_seconds=seconds)
    wrong, memory = judge(
        state, recall(options.memory), time.monotonic(), options.stall_seconds, token_comes=token_comes
    )
    remember(options.memory, memory)
    return wrong


def supervisor_trouble(process: Path) -> str:
    """Say whether PID 1 is stopped: then nobody takes what vLLM logs, and it blocks before long."""
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
    return "PID 1, which passes on vLLM's log, is stopped" if state in "Tt" else ""


def first_key(folder: Path) -> str:
    """Return one of the API keys, or an empty string."""
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        return next((key for path in files if (key := path.read_text().strip())), "")
    except OSError:
        return ""


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
