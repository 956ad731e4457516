"""The first thing in every pod of a group of several: wait until all are there, in whatever order they come up.

vLLM's ranks look for each other for some minutes only, and then end; one late node would restart the whole group, again
and again. So nobody starts vLLM before everybody can: the leader counts its workers, and lets them go together. This
runs from vLLM's own image, so that by then every node has it. It ends well or waits on; nothing of it ever fails, since
LeaderWorkerSet takes a failed container for a lost member.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Sequence

POLL_SECONDS = 1.0
SAY_EVERY_SECONDS = 30.0
GO = b"go\n"


def lead(workers: int, port: int) -> None:
    """Listen until each of the workers has said its number, then tell all of them to go."""
    waiting: dict[str, socket.socket] = {}
    with socket.create_server(("", port), backlog=workers + 8) as server:
        server.settimeout(SAY_EVERY_SECONDS)
        while len(waiting) < workers:
            missing = sorted({str(index) for index in range(1, workers + 1)} - set(waiting), key=int)
            print(f"waiting for worker {', '.join(missing)} of {workers}", flush=True)
            try:
                connection, _ = server.accept()
                connection.settimeout(10)
                index = connection.makefile().readline().strip()
            except OSError:
                continue
            if index.isdecimal() and 1 <= int(index) <= workers:
                # A worker that comes again has lost its first connection.
                waiting[index] = connection
            waiting = {number: peer for number, peer in waiting.items() if is_open(peer)}
        for peer in waiting.values():
            send(peer, GO)
    print(f"all {workers} workers are there", flush=True)


def follow(index: int, leader: str, port: int) -> None:
    """Say our number to the leader until it answers."""
    said_at = float("-inf")
    while True:
        try:
            with socket.create_connection((leader, port), timeout=10) as connection:
                connection.sendall(f"{index}\n".encode())
                connection.settimeout(None)
                # A leader whose node vanishes says no goodbye.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                if connection.recv(len(GO)) == GO:
                    print("the group is whole", flush=True)
                    return
        except OSError as error:
            if time.monotonic() - said_at >= SAY_EVERY_SECONDS:
                print(f"waiting for the leader at {leader}: {error}", flush=True)
                said_at = time.monotonic()
        time.sleep(POLL_SECONDS)


def is_open(peer: socket.socket) -> bool:
    """Tell whether the other side still holds the connection: a worker waits and sends nothing more."""
    try:
        peer.setblocking(False)
        return peer.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def send(peer: socket.socket, data: bytes) -> None:
    """Send to one worker; one that went away is for LeaderWorkerSet to see."""
    try:
        peer.setblocking(True)
        peer.sendall(data)
        peer.close()
    except OSError:
        pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Meet the others and return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=int, required=True, help="the pod's number in its group; 0 leads")
    parser.add_argument("--size", type=int, required=True, help="pods of the group")
    parser.add_argument("--leader", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    if options.index == 0:
        lead(options.size - 1, options.port)
    else:
        follow(options.index, options.leader, options.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
