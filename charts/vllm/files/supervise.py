"""PID 1 of every model pod: starts vLLM when its group is complete, and exits with a meaningful exit code.

    supervise.py --index 0 --size 2 --leader ADDRESS --port 8000 --start-seconds 2400 -- vllm serve MODEL ...

With --metrics-port it also serves the metrics of the group (metrics_server.py).

vLLM alone does not end as Kubernetes requires. Its exit code is 0 when its engine dies, it ignores SIGTERM while it
starts (the default for PID 1), and it waits for a lost rank for minutes or forever. Exit codes of this script:

    0, 143  the pod was stopped (SIGTERM); 143 when vLLM had to be killed
    70      vLLM ended unexpectedly with exit code 0
    71      another pod of the group ended or disappeared
    72      the other pods did not start within --start-seconds
    73      the server did not answer within --start-seconds
    78      a check before the start failed (preflight.py)
    other   vLLM's own exit code

The reason is written to the log and to the pod's termination message, which outlives the pod.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # Run as a script: the package is two folders up, both here and in the pod.
    sys.path[0] = str(Path(__file__).absolute().parents[2])

from vllm_eks.pods.container_log import ContainerLog
from vllm_eks.pods.group import Alone, Group, Leader, Worker
from vllm_eks.pods.lifecycle import Supervisor
from vllm_eks.pods.metrics_server import MetricsServer
from vllm_eks.pods.start_metrics import StartMetrics


def group_of(options: argparse.Namespace) -> Group:
    """Return this pod's side of its group."""
    if options.size == 1:
        return Alone()
    if options.index == 0:
        return Leader(options.size - 1, options.group_port)
    return Worker(options.index, options.leader, options.group_port)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options. The arguments after -- are the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=int, required=True, help="the pod's number in its group; 0 is the leader")
    parser.add_argument("--size", type=int, required=True, help="pods in the group")
    parser.add_argument("--leader", required=True, help="the leader's address")
    parser.add_argument("--group-port", type=int, default=29500)
    parser.add_argument("--port", type=int, required=True, help="the port of the leader's vLLM server")
    parser.add_argument("--start-seconds", type=float, required=True, help="limit for the group, and again for vLLM")
    parser.add_argument("--metrics-port", type=int, help="serve the metrics on this port, too")
    parser.add_argument("--quick-seconds", type=float, default=5, help="limit for a stop without requests")
    parser.add_argument("--termination-log", type=Path, default=Path("/dev/termination-log"))
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _wake(_number: int, _frame: object) -> None: ...


def serve_metrics(options: argparse.Namespace, group: Group, log: ContainerLog) -> None:
    """Serve the metrics. Errors are only logged, because a model can run without a monitor."""
    own = StartMetrics(group, log, budget_seconds=options.start_seconds)
    try:
        MetricsServer(("0.0.0.0", options.metrics_port), f"http://127.0.0.1:{options.port}", own.text).start()
    except OSError as error:
        log.say(f"the metrics port {options.metrics_port} cannot be opened ({error})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and return the exit code."""
    options = parse_arguments(arguments)
    options.wakeup, wake = os.pipe()
    for end in (options.wakeup, wake):
        os.set_blocking(end, False)
    group, log = group_of(options), ContainerLog()
    supervisor = Supervisor(options, group, log)
    if options.metrics_port:
        serve_metrics(options, group, log)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.stop)
    signal.signal(signal.SIGCHLD, _wake)  # without a handler, SIGCHLD would not wake the loop
    return supervisor.run()


if __name__ == "__main__":
    # Not sys.exit, because the thread that copies the log may wait for a process that keeps the pipe open.
    os._exit(main())
