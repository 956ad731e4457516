"""One run of vLLM in a pod: its start when the group is complete, its end, and the exit code."""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from vllm_eks.pods import preflight
from vllm_eks.pods.bad_variables import bad_variables
from vllm_eks.pods.causes import cause_of, last_words, masked
from vllm_eks.pods.container_log import ContainerLog
from vllm_eks.pods.group import Group, MemberLostError
from vllm_eks.pods.memory_kills import killed_since, memory_kills
from vllm_eks.pods.packages import writable_copies

ENGINE_ENDED, MEMBER_LOST, NEVER_MET, START_TOO_LONG, PREFLIGHT = 70, 71, 72, 73, 78
STOPPED, KILLED = 0, 128 + signal.SIGTERM
TICK_SECONDS = 0.5
LOG_EVERY_SECONDS = 30.0
ORDERLY_SECONDS = 20.0
"""Time for vLLM to stop while it serves. A worker waits as long for its leader. The drain takes up to 80 s of the pod's
120 s, and on real pods the stop afterwards took up to 29 s."""
AFTERMATH_SECONDS = 2.0
MESSAGE_BYTES = 3000
"""Kubernetes keeps 4096 bytes of a termination message."""


class Supervisor:
    """One run of vLLM in a pod."""

    def __init__(self, options: argparse.Namespace, group: Group, log: ContainerLog) -> None:
        self._options, self._group, self._log = options, group, log
        self._memory_kills = memory_kills()
        self._child: subprocess.Popen[bytes] | None = None
        self._status: int | None = None
        self._asked_at: float | None = None

    # ---- signals

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Record the request to stop (a signal handler). Before vLLM runs, exit at once."""
        if self._child is None:
            raise SystemExit(KILLED)
        self._asked_at = self._asked_at or time.monotonic()

    # ---- the run

    def run(self) -> int:
        """Wait for the group, run vLLM, and return the exit code."""
        reason = "it was stopped"
        try:
            code, reason = self._run()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        finally:
            self._group.leave(reason)
        return code

    def _run(self) -> tuple[int, str]:
        if errors := preflight.errors(self._options.command, os.environ):
            for error in errors:
                self._log.say(error)
            leave_message(self._options.termination_log, "\n".join(errors))
            return PREFLIGHT, errors[0]
        preflight.remove_other_caches(os.environ)
        environ = self._environ()
        began = time.monotonic()
        if not self._meet(began + self._options.start_seconds):
            text = f"{self._group.missing()} did not connect within {self._options.start_seconds:g} s"
            return self._end(NEVER_MET, text)
        self._start(environ)
        started = time.monotonic()
        while True:
            self._reap()
            if self._asked_at is not None:
                return self._stop(), "it was stopped"
            if self._status is not None:
                return self._unexpected_end(128 - self._status if self._status < 0 else self._status)
            try:
                self._group.tick()
            except MemberLostError as lost:
                self._kill()
                return self._end(MEMBER_LOST, str(lost))
            if self._options.index == 0 and not self._group.serving:
                self._group.serving = answers(self._options.port)
                if not self._group.serving and time.monotonic() - started >= self._options.start_seconds:
                    text = f"vLLM did not answer within the start budget of {self._options.start_seconds:g} s"
                    self._kill()
                    return self._end(START_TOO_LONG, text)
            self._pause()

    def _meet(self, until: float) -> bool:
        """Wait for the whole group, and return whether it is complete."""
        said_at = float("-inf")
        while not self._group.whole:
            self._group.tick()
            now = time.monotonic()
            if self._group.whole:
                break
            if now >= until:
                return False
            if now - said_at >= LOG_EVERY_SECONDS:
                self._log.say(f"waiting for {self._group.missing()}")
                said_at = now
            self._pause()
        if self._options.size > 1:
            self._log.say("the group is complete: vLLM starts")
        return True

    def _environ(self) -> dict[str, str]:
        """Return vLLM's environment."""
        try:
            more = writable_copies(os.environ) if "CACHES_FOLDER" in os.environ else {}
        except OSError as error:
            # Not fatal, because most models never use these packages.
            self._log.say(f"a package of the image could not be copied to a writable folder: {error}")
            more = {}
        return {**os.environ, **more}

    def _start(self, environ: dict[str, str]) -> None:
        self._child = subprocess.Popen(
            self._options.command,
            stdin=subprocess.DEVNULL,
            stdout=self._log.pipe,
            stderr=self._log.pipe,
            env=environ,
            start_new_session=True,
        )
        self._log.start()

    def _pause(self) -> None:
        """Wait for a tick, or for a signal."""
        select.select([self._options.wakeup], [], [], TICK_SECONDS)
        with suppress(BlockingIOError):
            os.read(self._options.wakeup, 4096)

    def _reap(self) -> None:
        """Reap ended processes. As PID 1, this process is the parent of all orphans."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if self._child and ended[0] == self._child.pid:
                    self._status = self._child.returncode = os.waitstatus_to_exitcode(ended[1])
        except ChildProcessError:
            pass

    # ---- ends

    def _stop(self) -> int:
        """Stop vLLM at the pod's request, and return the exit code."""
        began = time.monotonic()
        serving, quick = self._group.serving, self._options.quick_seconds
        # The leader's last requests need every worker.
        waits_for_leader = serving and self._options.index != 0
        limit = began + (ORDERLY_SECONDS + quick * waits_for_leader if serving else quick)
        signalled = False
        self._reap()
        while self._status is None and time.monotonic() < limit:
            if waits_for_leader:
                try:
                    self._group.tick()
                except MemberLostError:
                    waits_for_leader = False
                    limit = min(limit, time.monotonic() + quick)
            if not waits_for_leader and not signalled:
                # While it serves, vLLM stops its own processes in order. While it starts, it ignores the signal.
                self._signal(signal.SIGTERM, whole=not serving)
                signalled = True
            self._pause()
            self._reap()
        if self._status is None:
            self._log.say("vLLM did not stop in time and is killed")
            self._kill()
            return KILLED
        self._log.finish(2)
        return STOPPED

    def _unexpected_end(self, code: int) -> tuple[int, str]:
        text = f"vLLM ended unexpectedly with exit code {code}"
        self._kill()
        for other in (killed_since(self._memory_kills), self._lost_meanwhile()):
            text += f", and {other}" if other else ""
        return self._end(code if code not in (STOPPED, KILLED) else ENGINE_ENDED, text)

    def _lost_meanwhile(self) -> str:
        """Return which other pod is lost, since that may have caused this pod's end, or an empty string."""
        ticks = 0 if self._options.size == 1 else int(AFTERMATH_SECONDS / TICK_SECONDS)
        try:
            for _ in range(ticks):
                self._group.tick()
                self._pause()
        except MemberLostError as lost:
            return str(lost)
        return ""

    def _end(self, code: int, text: str) -> tuple[int, str]:
        """Log why the container ends, and return the exit code and the reason for the other pods."""
        self._log.finish(2)
        # After the loss of another pod, the last lines here are only consequences. A killed process logs nothing.
        silent = code == MEMBER_LOST or killed_since(self._memory_kills)
        words = last_error(self._log.tail()) if self._child and not silent else ""
        reason = masked(f"{text}: {words}" if words else text)
        self._log.say(f"{reason} (exit code {code})")
        leave_message(self._options.termination_log, reason)
        return code, reason

    def _signal(self, number: int, *, whole: bool) -> None:
        assert self._child
        with suppress(ProcessLookupError):
            if whole:
                os.killpg(self._child.pid, number)
            else:
                os.kill(self._child.pid, number)

    def _kill(self) -> None:
        """Kill all of vLLM's processes. Those outside its process group end with PID 1."""
        self._signal(signal.SIGKILL, whole=True)


def last_error(log: str) -> str:
    """Return the line that explains why vLLM ended, with the cause if the line does not show it."""
    words, cause = last_words(log), cause_of(log)
    if named := bad_variables(words, os.environ):
        return f"{words} ({named})"
    return words if cause is None or cause_of(words) is cause else f"{words} ({cause.title})"


def answers(port: int) -> bool:
    """Return whether the server listens. vLLM opens its port after it has loaded the model."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def leave_message(path: Path, text: str) -> None:
    """Write the pod's termination message. The kubelet creates the file."""
    try:
        with path.open("r+b") as file:
            file.write(text.encode(errors="replace")[:MESSAGE_BYTES])
    except OSError:
        pass
