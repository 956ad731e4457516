"""Tests cannot reach another machine: such a connection fails at once."""

import ipaddress
import socket
from typing import Any

Address = Any
"""As in `socket.connect`: a pair, four values, or a path."""


class NetworkUsedError(AssertionError):
    """A test tried to reach another machine, because its fake was not active."""


def is_of_this_machine(family: int, address: Address) -> bool:
    """Return whether a connection stays on this machine: a Unix socket, or a loopback address."""
    if family == socket.AF_UNIX:
        return True
    if family not in (socket.AF_INET, socket.AF_INET6):
        return False
    host = str(address[0])
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def close_sockets() -> None:
    """Let all sockets of this process connect only to this machine, until it ends."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(self: socket.socket, address: Address) -> None:
        _refuse(self, address)
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Address) -> int:
        _refuse(self, address)
        return connect_ex(self, address)

    socket.socket.connect = guarded
    socket.socket.connect_ex = guarded_ex


def _refuse(self: socket.socket, address: Address) -> None:
    if not is_of_this_machine(self.family, address):
        raise NetworkUsedError(f"a test wants to reach {address}: put a fake in its place")
