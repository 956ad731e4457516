"""PID 1 of every model pod: starts vLLM when its group is whole, and ends with the pod's true exit code.

    supervise.py --index 0 --size 2 --leader ADDRESS --port 8000 --start-seconds 2400 -- vllm serve MODEL ...

vLLM alone does not end as Kubernetes needs it: its exit code is 0 when its engine died, it ignores SIGTERM while it
starts (as PID 1 it even has to), and it waits for a lost rank for minutes or for ever. Exit codes of this script:

    0, 143  it was asked to stop (SIGTERM); 143 where vLLM had to be killed
    70      vLLM ended by itself, and said 0
    71      another pod of the group ended or vanished
    72      the other pods did not come within --start-seconds
    73      the server did not answer within --start-seconds
    78      something is wrong that vLLM would find after minutes (preflight.py)
    else    what vLLM ended with

The reason goes to the log and to the pod's termination message, which outlives it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # Run as a file: the package is two folders up, here and where pods mount it.
    sys.path[0] = str(Path(__file__).absolute().parents[2])

from vllm_eks.pods.container_log import ContainerLog
from vllm_eks.pods.group import Alone, Group, Leader, Worker
from vllm_eks.pods.lifecycle import Supervisor


def group_of(options: argparse.Namespace) -> Group:
    """Return this pod's side of its group."""
    if options.size == 1:
        return Alone()
    if options.index == 0:
        return Leader(options.size - 1, options.group_port)
    return Worker(options.index, options.leader, options.group_port)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options; what follows -- is the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=int, required=True, help="the pod's number in its group; 0 leads")
    parser.add_argument("--size", type=int, required=True, help="pods of the group")
    parser.add_argument("--leader", required=True, help="the leader's address")
    parser.add_argument("--group-port", type=int, default=29500)
    parser.add_argument("--port", type=int, required=True, help="where the leader's vLLM will serve")
    parser.add_argument("--start-seconds", type=float, required=True, help="for the others to come; then for vLLM")
    parser.add_argument("--quick-seconds", type=float, default=5, help="to end where vLLM holds no requests")
    parser.add_argument("--termination-log", type=Path, default=Path("/dev/termination-log"))
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and return the exit code."""
    options = parse_arguments(arguments)
    options.wakeup, wake = os.pipe()
    for end in (options.wakeup, wake):
        os.set_blocking(end, False)
    supervisor = Supervisor(options, group_of(options), ContainerLog())
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.stop)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler it would not wake anybody
    return supervisor.run()


if __name__ == "__main__":
    # Not sys.exit: the thread that copies the log may wait for a process that holds the pipe.
    os._exit(main())
