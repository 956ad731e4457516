"""The preStop hook of every pod of a group: waits until requests end before the pod stops.

All pods of a group stop at the same time, and the leader's requests need every worker. So each pod waits until the
leader has no requests, makes no more progress, or --limit-seconds have passed. A server that answers late may be busy,
so the wait continues. The hook first waits some seconds, because new requests can arrive until the Service drops the
pod.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

if __name__ == "__main__":
    # Run as a script: the package is two folders up, both here and in the pod.
    sys.path[0] = str(Path(__file__).absolute().parents[2])

from vllm_eks.pods.engine import EngineState, read_engine

SETTLE_SECONDS = 15
"""Until new requests stop: the Service drops the pod within a second or two, and the load balancer's controller
deregisters it, which takes the load balancer several seconds more (AWS load balancer controller, deregistration)."""
LIMIT_SECONDS = 80
"""Part of the pod's 120 s of grace. Stopping vLLM afterwards takes up to 29 s (measured on 0.21.0 and 0.32.0)."""


def drain(
    look: Callable[[], EngineState],
    *,
    settle_seconds: float,
    limit_seconds: float,
    stall_seconds: float,
    poll_seconds: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait, and return why the wait is over."""
    began = moved_at = clock()
    fingerprint = None
    sleep(settle_seconds)
    while (now := clock()) - began < limit_seconds:
        state = look()
        if state.trouble and not state.late:
            return f"the engine does not answer: {state.trouble}"
        if state.requests == 0:
            return "all requests are done"
        if state.requests is None or not state.fingerprint:
            pass  # late, or no metrics (--disable-log-stats): the number of requests is unknown
        elif state.fingerprint != fingerprint:
            fingerprint, moved_at = state.fingerprint, now
        elif now - moved_at >= stall_seconds:
            return f"{state.requests} requests are left but make no progress"
        sleep(poll_seconds)
    return f"the limit of {limit_seconds:g} s is reached"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the wait. Kubernetes stops the container afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--host-from", help="environment variable with the leader's address, instead of --host")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--metrics-port", type=int, help="the leader's port for /metrics and /load, from another pod")
    for name, seconds in (
        ("--settle-seconds", SETTLE_SECONDS),
        ("--limit-seconds", LIMIT_SECONDS),
        ("--stall-seconds", 20),
    ):
        parser.add_argument(name, type=float, default=seconds)
    options = parser.parse_args(arguments)
    # Kubernetes expands environment variables in a container's command, but not in a hook's.
    host = os.environ.get(options.host_from, options.host) if options.host_from else options.host
    metrics_url = f"http://{host}:{options.metrics_port}" if options.metrics_port else ""
    why = drain(
        lambda: read_engine(f"http://{host}:{options.port}", timeout_seconds=5, metrics_url=metrics_url),
        settle_seconds=options.settle_seconds,
        limit_seconds=options.limit_seconds,
        stall_seconds=options.stall_seconds,
    )
    print(f"drained: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
