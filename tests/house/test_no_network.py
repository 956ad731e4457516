"""The network guard: tests can only connect to this machine."""

import socket

import pytest

from tests.support.no_network import NetworkUsedError, is_of_this_machine


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("example.com", 80), ("0.0.0.0", 80)])
def test_another_machine_is_not_reached(address: tuple[str, int]) -> None:
    with socket.socket() as one, pytest.raises(NetworkUsedError):
        one.connect(address)


@pytest.mark.parametrize("address", [("127.0.0.1", 1), ("127.0.0.3", 1), ("localhost", 1)])
def test_this_machine_is(address: tuple[str, int]) -> None:
    assert is_of_this_machine(socket.AF_INET, address)
    with socket.socket() as one, pytest.raises(OSError, match="refused"):
        one.connect(address)


def test_so_are_unix_sockets_and_loopback_of_ipv6() -> None:
    assert is_of_this_machine(socket.AF_UNIX, "/run/somewhere")
    assert is_of_this_machine(socket.AF_INET6, ("::1", 80, 0, 0))
    assert not is_of_this_machine(socket.AF_INET6, ("2001:db8::1", 80, 0, 0))
