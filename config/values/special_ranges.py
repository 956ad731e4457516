"""IPv4 ranges from which no client connects, or none on the internet (IANA, IPv4 Special-Purpose Address Registry)."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

Reach = Literal["nowhere", "private", "documentation"]
"""`nowhere`: never the source of a connection. `private`: never its source on the internet. `documentation`: has no
owner."""


@dataclass(frozen=True, kw_only=True)
class SpecialRange:
    """A range with a meaning of its own."""

    network: IPv4Network
    name: str
    """Completes "is "."""
    reach: Reach


def _special(network: str, name: str, reach: Reach) -> SpecialRange:
    return SpecialRange(network=IPv4Network(network), name=name, reach=reach)


SPECIAL_RANGES = (
    _special("0.0.0.0/8", 'the range for "this network" (RFC 791)', "nowhere"),
    _special("127.0.0.0/8", "a loopback range (RFC 1122)", "nowhere"),
    _special("169.254.0.0/16", "a link-local range (RFC 3927)", "nowhere"),
    _special("224.0.0.0/4", "a multicast range (RFC 5771)", "nowhere"),
    _special("255.255.255.255/32", "the broadcast address (RFC 919)", "nowhere"),
    _special("10.0.0.0/8", "a private range", "private"),
    _special("172.16.0.0/12", "a private range", "private"),
    _special("192.168.0.0/16", "a private range", "private"),
    _special("100.64.0.0/10", "a private range", "private"),
    _special("192.0.0.0/24", "a range for protocols (RFC 6890)", "private"),
    _special("198.18.0.0/15", "a range for benchmarks (RFC 2544)", "private"),
    _special("240.0.0.0/4", "a reserved range (RFC 1112)", "private"),
    _special("192.0.2.0/24", "a range for documentation (RFC 5737)", "documentation"),
    _special("198.51.100.0/24", "a range for documentation (RFC 5737)", "documentation"),
    _special("203.0.113.0/24", "a range for documentation (RFC 5737)", "documentation"),
)


def special_range(network: IPv4Network) -> SpecialRange | None:
    """Return the special range that contains a network, or None.

    >>> special_range(IPv4Network("127.0.0.1/32")).name, special_range(IPv4Network("0.0.0.0/0"))
    ('a loopback range (RFC 1122)', None)
    """
    return next((one for one in SPECIAL_RANGES if network.subnet_of(one.network)), None)
