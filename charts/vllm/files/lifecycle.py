"""One run of vLLM in one pod: its start when the group is whole, its end, and the exit code that says why."""

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

import preflight
from bad_variables import bad_variables
from causes import cause_of, last_words, masked
from container_log import ContainerLog
from group import Group, MemberLostError
from memory_kills import killed_since, memory_kills
from packages import writable_copies

ENGINE_ENDED, MEMBER_LOST, NEVER_MET, START_TOO_LONG, PREFLIGHT = 70, 71, 72, 73, 78
STOPPED, KILLED = 0, 128 + signal.SIGTERM
TICK_SECONDS = 0.5
SAY_EVERY_SECONDS = 30.0
ORDERLY_SECONDS = 20.0
"""How long it may take when it serves; a worker waits that long for its leader, too. The drain before it takes 80 s of
the pod's 120 s at most: on real pods, the stop after it took up to 29 s."""
AFTERMATH_SECONDS = 2.0
MESSAGE_BYTES = 3000
"""Kubernetes keeps 4096 bytes of a termination message."""


class Supervisor:
    """One run of vLLM in one pod."""

    def __init__(self, options: argparse.Namespace, group: Group, log: ContainerLog) -> None:
        self._options, self._group, self._log = options, group, log
        self._memory_kills = memory_kills()
        self._child: subprocess.Popen[bytes] | None = None
        self._status: int | None = None
        self._asked_at: float | None = None

    # ---- signals

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Note that the pod is to stop (a signal handler). Before vLLM runs there is nothing to wait for."""
        if self._child is None:
            raise SystemExit(KILLED)
        self._asked_at = self._asked_at or time.monotonic()

    # ---- the run

    def run(self) -> int:
        """Meet the others, run vLLM, and return the exit code."""
        reason = "it was asked to stop"
        try:
            code, reason = self._run()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        finally:
            self._group.leave(reason)
        return code

    def _run(self) -> tuple[int, str]:
        if found := preflight.faults(self._options.command, os.environ):
            for fault in found:
                self._log.say(fault)
            leave_message(self._options.termination_log, "\n".join(found))
            return PREFLIGHT, found[0]
        preflight.forget_other_caches(os.environ)
        environ = self._environ()
        began = time.monotonic()
        if not self._meet(began + self._options.start_seconds):
            text = f"{self._group.missing()} did not come within {self._options.start_seconds:g} s"
            return self._end(NEVER_MET, text)
        self._start(environ)
        started = time.monotonic()
        while True:
            self._reap()
            if self._asked_at is not None:
                return self._stop(), "it was asked to stop"
            if self._status is not None:
                return self._ended_by_itself(128 - self._status if self._status < 0 else self._status)
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
        """Wait for the whole group; tell whether it came."""
        said_at = float("-inf")
        while not self._group.whole:
            self._group.tick()
            now = time.monotonic()
            if self._group.whole:
                break
            if now >= until:
                return False
            if now - said_at >= SAY_EVERY_SECONDS:
                self._log.say(f"waiting for {self._group.missing()}")
                said_at = now
            self._pause()
        if self._options.size > 1:
            self._log.say("the group is whole: vLLM starts")
        return True

    def _environ(self) -> dict[str, str]:
        """Return vLLM's environment."""
        try:
            more = writable_copies(os.environ) if "CACHES_FOLDER" in os.environ else {}
        except OSError as error:
            # Most models never use these packages.
            self._log.say(f"a package of the image could not be copied to where it may write: {error}")
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
        """Take note of ended processes: as PID 1 this is the parent of whatever vLLM leaves behind."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if self._child and ended[0] == self._child.pid:
                    self._status = self._child.returncode = os.waitstatus_to_exitcode(ended[1])
        except ChildProcessError:
            pass

    # ---- ends

    def _stop(self) -> int:
        """End vLLM because the pod was asked to stop; return the exit code."""
        began = time.monotonic()
        serving, quick = self._group.serving, self._options.quick_seconds
        # The leader's last requests need every worker.
        waits_for_leader = serving and self._options.index != 0
        limit = began + (ORDERLY_SECONDS + quick * waits_for_leader if serving else quick)
        told = False
        self._reap()
        while self._status is None and time.monotonic() < limit:
            if waits_for_leader:
                try:
                    self._group.tick()
                except MemberLostError:
                    waits_for_leader = False
                    limit = min(limit, time.monotonic() + quick)
            if not waits_for_leader and not told:
                # In service, vLLM tells its own processes in its own order; while it starts it would not hear.
                self._signal(signal.SIGTERM, whole=not serving)
                told = True
            self._pause()
            self._reap()
        if self._status is None:
            self._log.say("vLLM has not ended in time: it is killed")
            self._kill()
            return KILLED
        self._log.finish(2)
        return STOPPED

    def _ended_by_itself(self, code: int) -> tuple[int, str]:
        text = f"vLLM ended by itself with exit code {code}"
        self._kill()
        for other in (killed_since(self._memory_kills), self._lost_meanwhile()):
            text += f", and {other}" if other else ""
        return self._end(code if code not in (STOPPED, KILLED) else ENGINE_ENDED, text)

    def _lost_meanwhile(self) -> str:
        """Say who else went: then this pod's end may be only what came of that."""
        looks = 0 if self._options.size == 1 else int(AFTERMATH_SECONDS / TICK_SECONDS)
        try:
            for _ in range(looks):
                self._group.tick()
                self._pause()
        except MemberLostError as lost:
            return str(lost)
        return ""

    def _end(self, code: int, text: str) -> tuple[int, str]:
        """Say why the container ends, where people look; return the exit code and what the others should hear."""
        self._log.finish(2)
        # After the loss of another pod, what stands last here is only what came of it; who is killed says nothing.
        silent = code == MEMBER_LOST or killed_since(self._memory_kills)
        words = telling_words(self._log.tail()) if self._child and not silent else ""
        told = masked(f"{text}: {words}" if words else text)
        self._log.say(f"{told} (exit code {code})")
        leave_message(self._options.termination_log, told)
        return code, told

    def _signal(self, number: int, *, whole: bool) -> None:
        assert self._child
        with suppress(ProcessLookupError):
            if whole:
                os.killpg(self._child.pid, number)
            else:
                os.kill(self._child.pid, number)

    def _kill(self) -> None:
        """End whatever vLLM still runs. What left its process group ends with PID 1."""
        self._signal(signal.SIGKILL, whole=True)


def telling_words(log: str) -> str:
    """Return the line that tells why vLLM ended, with the cause where the line alone would not show it."""
    words, cause = last_words(log), cause_of(log)
    if named := bad_variables(words, os.environ):
        return f"{words} ({named})"
    return words if cause is None or cause_of(words) is cause else f"{words} ({cause.title})"


def answers(port: int) -> bool:
    """Tell whether the server listens: vLLM opens its port when its model is loaded."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def leave_message(path: Path, text: str) -> None:
    """Write the pod's termination message; kubelet has made the file."""
    try:
        with path.open("r+b") as file:
            file.write(text.encode(errors="replace")[:MESSAGE_BYTES])
    except OSError:
        pass
