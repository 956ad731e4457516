"""No test reaches another machine: a connection to anything but this one is an error at once, not a wait."""

import ipaddress
import socket
from typing import Any

Address = Any
"""As `socket.connect` takes it: a pair, four values, or a path."""


class NetworkUsedError(AssertionError):
    """A test tried to reach another machine; its fake was not in place."""


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
    """Let every socket of this process connect to this machine only; for the rest of its life."""
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
