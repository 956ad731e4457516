"""Checks zones and address ranges of a stack file, like `config.values.rules`."""

import re
from ipaddress import IPv4Network, ip_interface, ip_network

from config.values import rules
from config.values.special_ranges import special_range

MAX_PUBLIC_CIDRS = 40
"""EKS service quotas: public endpoint access CIDR ranges per cluster, not adjustable."""
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)?-(central|(north|south)?(east|west)?(?<!-))-\d")
ZONE_LETTERS = "abcdefgh"
"""The address plan has room for eight zones. No region has more than six."""
ZONE = re.compile(REGION.pattern + "[a-z]")
ZONE_IN_ADDRESS_PLAN = f"{REGION.pattern}[{ZONE_LETTERS[0]}-{ZONE_LETTERS[-1]}]"
"""What `zone` accepts, for the JSON Schema."""
IPV4_CIDR = r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}"
VPC_CIDR = r"\d{1,3}(\.\d{1,3}){3}/(1[6-9]|20)"
# Allowed ranges of a VPC's addresses: RFC 1918, and RFC 6598, which EKS also accepts.
VPC_RANGES = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))


def zone(value: str) -> str:
    """Accept an availability zone: a region and a letter."""
    if ZONE.fullmatch(value):
        if value[-1] not in ZONE_LETTERS:
            raise ValueError(
                f"{value!r} is not an availability zone: use a letter from {ZONE_LETTERS[0]} to {ZONE_LETTERS[-1]}"
            )
        return value
    if REGION.fullmatch(value):
        raise ValueError(f"{value!r} is a region, not a zone: add the zone's letter, as in {value}a")
    raise ValueError(f"{value!r} is not an availability zone: use a region and a letter, such as us-west-2a")


def zones(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept two or more distinct zones, because EKS needs two for its control plane."""
    if len(value) < 2:
        raise ValueError(f"{rules.list_of(value)} has too few zones: EKS needs two or more, so add another")
    return rules.distinct(value)


def node_zones(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept two or more distinct zones for the replicas of one model."""
    if len(value) < 2:
        raise ValueError(f"{rules.list_of(value)} needs two or more zones: use zone for a single one")
    return rules.distinct(value)


def network_cidr(value: str) -> str:
    """Accept the VPC's range: private, and /16 to /20, so that eight zones fit."""
    network = ipv4_network(value, example="10.0.0.0/16")
    if not any(network.subnet_of(private) for private in VPC_RANGES):
        ranges = ", ".join(map(str, VPC_RANGES))
        raise ValueError(f"{value!r} is not private: use a range inside one of {ranges}")
    if not 16 <= network.prefixlen <= 20:
        raise ValueError(f"{value!r} has the wrong size: use a prefix length from /16 to /20")
    return value


def public_access_cidrs(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept at most as many distinct ranges as EKS allows."""
    if len(value) > MAX_PUBLIC_CIDRS:
        raise ValueError(
            f"{len(value)} ranges are too many: EKS allows {MAX_PUBLIC_CIDRS} per cluster and does not raise this "
            f"limit, so merge neighbouring ranges"
        )
    return rules.distinct(value)


def public_access_cidr(value: str) -> str:
    """Accept one public range that may call the API endpoint. EKS refuses private and reserved ranges there."""
    network = ipv4_network(value, example="203.0.113.0/24")
    special = special_range(network)
    if special and special.reach != "documentation":
        raise ValueError(
            f"{value!r} is {special.name}, which never reaches the public endpoint: use the public addresses of your "
            f"clients (the private endpoint is always on)"
        )
    return value


def ipv4_network(value: str, *, example: str) -> IPv4Network:
    """Return an IPv4 range, written with its prefix length and no bits after it."""
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{value!r} is not a CIDR: use an address and a prefix length, such as {example}") from None
    if not isinstance(network, IPv4Network):
        raise ValueError(f"{value!r} is an IPv6 range, and the cluster uses IPv4: use an IPv4 range")
    if "/" not in value:
        raise ValueError(f"{value!r} has no prefix length: use {value}/32 for a single address")
    if not re.fullmatch(IPV4_CIDR, value) or str(ip_interface(value)) != value:
        raise ValueError(f"{value!r} is not written as an address and a prefix length: use {network}")
    if str(network) != value:
        raise ValueError(f"{value!r} has bits set after its prefix: use {network}")
    return network
