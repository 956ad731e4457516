"""Connects the supervisors of a group's pods over TCP, so that they start and end together.

The leader listens, and each worker sends hello and waits. When all workers are connected, the leader sends go and every
pod starts vLLM. They start together because vLLM's ranks wait for each other for only a few minutes. From then on both
sides send a heartbeat every BEAT_SECONDS. A member is lost when it sends bye, when its connection ends, or when it is
silent for SILENCE_SECONDS (its node or network failed). vLLM itself notices that only after minutes, or never (0.21.0,
0.27.0). Heartbeats come from the supervisor and not from vLLM, so a busy engine is never silent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

BEAT_SECONDS = 5.0
SILENCE_SECONDS = 60.0
PAUSE_SECONDS = 15.0
"""A longer gap between two ticks means that this process was suspended and has unread messages."""
CONNECT_SECONDS = 5.0
MAX_LINE_LENGTH = 4096

Clock = Callable[[], float]


class MemberLostError(Exception):
    """A pod of the group is lost. The text says which one, and why."""


class Connection:
    """A connection to another pod that sends and receives lines. Never blocks."""

    def __init__(self, peer: socket.socket, name: str, now: float) -> None:
        peer.setblocking(False)
        self.socket, self.name, self.heard_at = peer, name, now
        self._inbox = b""

    def send(self, line: str) -> None:
        """Send a line. Errors are ignored, because the other side detects the silence."""
        with suppress(OSError):
            self.socket.send(line.encode(errors="replace")[:MAX_LINE_LENGTH] + b"\n")

    def lines(self, now: float) -> list[str]:
        """Return the received lines.

        Raises:
            ConnectionError: The other side closed the connection.
        """
        end = ""
        while not end:
            try:
                data = self.socket.recv(MAX_LINE_LENGTH)
            except BlockingIOError:
                break
            except OSError as error:
                end = str(error)
                break
            end = "" if data else "closed the connection"
            self.heard_at = now if data else self.heard_at
            self._inbox += data
        # Return the last lines before the error. Closing with an unread heartbeat causes a reset.
        if end and b"\n" not in self._inbox:
            raise ConnectionError(end)
        *whole, self._inbox = self._inbox.split(b"\n")
        return [line.decode(errors="replace") for line in whole]


class Group:
    """The common part of leader and worker. Call `tick` about once a second."""

    def __init__(self, clock: Clock) -> None:
        self.whole = False
        """Whether all pods are connected, so that vLLM may start."""
        self.serving = False
        """Whether the leader's server answers. The leader's supervisor sets it and sends it to the workers."""
        self._clock = clock
        self._ticked_at = self._beat_at = clock()

    def tick(self) -> None:
        """Receive messages, send heartbeats, and check the other pods.

        Raises:
            MemberLostError: A pod was lost after the group was complete.
        """
        now = self._clock()
        if now - self._ticked_at > PAUSE_SECONDS:
            for peer in self._members():
                peer.heard_at = now
        self._ticked_at = now
        self._meet(now)
        for peer in self._members():
            self._listen(peer, now)
        if now - self._beat_at >= BEAT_SECONDS:
            self._beat_at = now
            for peer in self._members():
                peer.send("serving" if self.serving else "beat")

    def missing(self) -> str:
        """Return the pods that this pod still waits for."""
        return ""

    def leave(self, reason: str) -> None:
        """Send bye with the reason, and close the connections."""
        for peer in self._members():
            peer.send(f"bye {reason}" if reason else "bye")
            peer.socket.close()

    def _meet(self, now: float) -> None:
        raise NotImplementedError

    def _members(self) -> list[Connection]:
        raise NotImplementedError

    def _listen(self, peer: Connection, now: float) -> None:
        try:
            for line in peer.lines(now):
                self._hear(peer, line)
        except ConnectionError as error:
            self._lost(peer, f"{peer.name} is gone: {error}")
            return
        if now - peer.heard_at >= SILENCE_SECONDS:
            self._lost(peer, f"{peer.name} is gone: no heartbeat for {now - peer.heard_at:.0f} s")

    def _hear(self, peer: Connection, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "bye":
            self._lost(peer, f"{peer.name} ended: {rest}" if rest else f"{peer.name} ended")

    def _lost(self, peer: Connection, reason: str) -> None:
        raise MemberLostError(reason)


class Alone(Group):
    """A group of one pod, which is always complete."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self.whole = True

    def _meet(self, now: float) -> None:
        pass

    def _members(self) -> list[Connection]:
        return []


class Leader(Group):
    """The leader's side."""

    def __init__(self, workers: int, port: int, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self._indexes = [str(index) for index in range(1, workers + 1)]
        self._server = socket.create_server(("", port), backlog=workers + 8)
        self._server.setblocking(False)
        self.port = int(self._server.getsockname()[1])
        self._strangers: list[Connection] = []
        self._workers: dict[str, Connection] = {}

    def missing(self) -> str:
        """Return the numbers of the workers that are not connected."""
        left = [index for index in self._indexes if index not in self._workers]
        return f"worker {', '.join(left)} of {len(self._indexes)}"

    def leave(self, reason: str) -> None:
        """Send bye, and stop listening."""
        super().leave(reason)
        self._server.close()

    def _members(self) -> list[Connection]:
        return list(self._workers.values())

    def _meet(self, now: float) -> None:
        if self.whole:
            return
        with suppress(OSError):
            while True:
                self._strangers.append(Connection(self._server.accept()[0], "a stranger", now))
        for stranger in list(self._strangers):
            try:
                lines = stranger.lines(now)
            except ConnectionError:
                lines = ["gone"]
            if not lines and now - stranger.heard_at < CONNECT_SECONDS:
                continue
            self._strangers.remove(stranger)
            word, _, index = (lines[0] if lines else "").partition(" ")
            if word == "hello" and index in self._indexes:
                if index in self._workers:  # a worker that reconnects has lost its first connection
                    self._workers[index].socket.close()
                stranger.name = f"worker {index}"
                self._workers[index] = stranger
            else:
                stranger.socket.close()
        if len(self._workers) == len(self._indexes):
            self.whole = True
            for peer in self._members():
                peer.send("go")

    def _lost(self, peer: Connection, reason: str) -> None:
        if self.whole:
            raise MemberLostError(reason)
        # Before the start a worker may disconnect and reconnect.
        peer.socket.close()
        self._workers = {index: other for index, other in self._workers.items() if other is not peer}


class Worker(Group):
    """A worker's side."""

    def __init__(self, index: int, leader: str, port: int, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self._index, self._address = index, (leader, port)
        self._leader: Connection | None = None
        self._trouble = ""

    def missing(self) -> str:
        """Return who is missing: the leader, or other workers, which only the leader knows."""
        if self._leader:
            return "the other workers"
        return f"the leader at {self._address[0]}:{self._address[1]}" + (f" ({self._trouble})" if self._trouble else "")

    def _members(self) -> list[Connection]:
        return [self._leader] if self._leader else []

    def _meet(self, now: float) -> None:
        if self._leader:
            return
        try:
            peer = socket.create_connection(self._address, timeout=CONNECT_SECONDS)
        except OSError as error:
            self._trouble = str(error)
            return
        self._leader = Connection(peer, "the leader", self._clock())
        self._leader.send(f"hello {self._index}")

    def _hear(self, peer: Connection, line: str) -> None:
        if line == "go":
            self.whole = True
        elif line == "serving":
            self.serving = True
        else:
            super()._hear(peer, line)

    def _lost(self, peer: Connection, reason: str) -> None:
        if self.whole:
            raise MemberLostError(reason)
        peer.socket.close()
        self._leader, self._trouble = None, reason
