"""The address ranges of each zone's subnets in the VPC."""

from ipaddress import IPv4Network

ZONE_LETTERS = "abcdefgh"
"""All zone letters that a region may use. No region has more than six."""

LARGEST_PREFIX = 20
"""A public subnet is 8 bits smaller than the VPC, and AWS allows none smaller than a /28."""


def private_subnet_cidr(vpc_cidr: str, zone: str) -> str:
    """Return the zone's private range: one sixteenth of the VPC, in its lower half.

    Only the zone's letter decides, so that adding, removing or reordering zones never renumbers another zone's subnet.
    A renumbered subnet would be replaced with everything in it.

    Args:
        vpc_cidr: The VPC's range, from /16 (the largest AWS allows) to /20.
        zone: An availability zone, such as `us-west-2a`.

    Raises:
        ValueError: The layout does not support the range or the zone.

    >>> private_subnet_cidr("10.0.0.0/16", "us-west-2c")
    '10.0.32.0/20'
    """
    return str(_nth_subnet(vpc_cidr, extra_bits=4, index=_letter_index(zone)))


def public_subnet_cidr(vpc_cidr: str, zone: str) -> str:
    """Return the zone's public range: one 256th of the VPC, in its upper half.

    Public subnets contain only NAT gateways and internet-facing load balancers, so they may be small.

    Raises:
        ValueError: The layout does not support the range or the zone.

    >>> public_subnet_cidr("10.0.0.0/16", "us-west-2c")
    '10.0.130.0/24'
    """
    return str(_nth_subnet(vpc_cidr, extra_bits=8, index=128 + _letter_index(zone)))


def _letter_index(zone: str) -> int:
    letter = zone[-1:]
    if letter == "" or letter not in ZONE_LETTERS:
        raise ValueError(f"zone {zone!r} must end in a letter from a to h, such as us-west-2a")
    return ZONE_LETTERS.index(letter)


def _nth_subnet(vpc_cidr: str, *, extra_bits: int, index: int) -> IPv4Network:
    vpc = IPv4Network(vpc_cidr)
    if not 16 <= vpc.prefixlen <= LARGEST_PREFIX:
        raise ValueError(f"network range {vpc_cidr} must be between a /16 and a /{LARGEST_PREFIX}")
    prefix = vpc.prefixlen + extra_bits
    first_address = int(vpc.network_address) + index * 2 ** (32 - prefix)
    return IPv4Network((first_address, prefix))
