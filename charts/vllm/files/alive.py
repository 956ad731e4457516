"""Liveness and readiness probe of a model pod. A server with requests must make progress.

vLLM's /health returns 200 even when the engine is stuck (vllm#39863), so the probe also checks the engine's progress.
The engine is stuck when it has requests and takes no step for --stall-seconds. If only the API server reports the
requests, because the engine hung while idle, the probe first asks for one token: a slow client also keeps a request
open and is no reason to restart. An idle engine is healthy, and so is a busy one, however long its answers take.

Workers do not serve. Their probe (without --stall-seconds) checks the leader's /health, so that a loading group counts
as disrupted. Exit status 0 means healthy and 1 unhealthy, with the reason in the last line.
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
    # Run as a script: the package is two folders up, both here and in the pod.
    sys.path[0] = str(Path(__file__).absolute().parents[2])

from vllm_eks.pods.client_keys import is_named, key_files
from vllm_eks.pods.engine import EngineState, answers_request, read_engine, read_health


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The result of the previous probe: the engine's fingerprint, and the time since which it has not changed."""

    fingerprint: str
    since: float


def check_progress(
    state: EngineState, before: Memory | None, now: float, stall_seconds: float, *, token_comes: Callable[[], bool]
) -> tuple[str, Memory | None]:
    """Return the error, or an empty string, and the state for the next probe. `now` is monotonic, in seconds."""
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
    parser.add_argument("--host-from", help="environment variable with the leader's address, instead of --host")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--stall-seconds", type=float, help="without it, only /health is checked")
    parser.add_argument("--timeout-seconds", type=float, default=10, help="for each of up to four requests")
    parser.add_argument("--model", default="", help="the model to request a token from")
    parser.add_argument("--keys", type=Path, default=Path("/secrets/api-key"))
    parser.add_argument("--memory", type=Path, default=Path("/tmp/vllm-eks-engine.json"), help="state between probes")
    parser.add_argument("--supervisor", type=Path, default=Path("/proc/1"))
    parser.add_argument("--log", type=Path, default=Path("/proc/1/fd/1"), help="the container's own log")
    options = parser.parse_args(arguments)
    error = supervisor_error(options.supervisor) or engine_error(options)
    if not error:
        return 0
    print(error)
    try:
        # The kubelet puts a probe's output only into an event. Users look at the log, which also outlives the pod.
        with options.log.open("a") as log:
            log.write(f"vllm-eks probe: {error}\n")
    except OSError:
        pass
    return 1


def engine_error(options: argparse.Namespace) -> str:
    """Return the error of the server or its engine, or an empty string."""
    # Kubernetes expands environment variables in a container's command, but not in a probe's.
    host = os.environ.get(options.host_from, options.host) if options.host_from else options.host
    url, seconds = f"http://{host}:{options.port}", options.timeout_seconds
    if options.stall_seconds is None:
        return read_health(url, timeout_seconds=seconds).trouble

    def token_comes() -> bool:
        key = first_key(options.keys)
        # Without a key no token can be requested, and the engine counts as healthy.
        return not key or answers_request(url, model=options.model, key=key, timeout_seconds=seconds)

    state = read_engine(url, timeout_seconds=seconds)
    error, memory = check_progress(
        state, recall(options.memory), time.monotonic(), options.stall_seconds, token_comes=token_comes
    )
    remember(options.memory, memory)
    return error


def supervisor_error(process: Path) -> str:
    """Return an error when PID 1 is stopped: vLLM's log is then no longer read, and vLLM soon blocks."""
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
    return "PID 1, which copies vLLM's log, is stopped" if state in "Tt" else ""


def first_key(folder: Path) -> str:
    """Return the first API key that is stored as text, or an empty string."""
    try:
        files = [path for path in key_files(folder) if not is_named(path.name)]
        return next((key for path in files if (key := path.read_text().strip())), "")
    except OSError:
        return ""


def recall(path: Path) -> Memory | None:
    """Return the state from the previous probe, or None when it cannot be read."""
    try:
        saved = json.loads(path.read_text())
        return Memory(fingerprint=str(saved["fingerprint"]), since=float(saved["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(path: Path, memory: Memory | None) -> None:
    """Save the state for the next probe. Errors are ignored, so that a full disk does not kill an engine."""
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
