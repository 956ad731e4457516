"""Checks the ranges that may connect to the load balancer, all together."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from config.errors import ConfigError
from config.settings.stack import StackSettings
from config.values.endpoint_rules import MAX_SOURCE_RANGES, source_range
from config.values.special_ranges import special_range
from vllm_eks.json_values import is_list
from vllm_eks.stack_files.wording import key_path

INTERNET_FACING = "internetFacing"


def source_range_errors(written: object, scheme: str | None, key: str) -> Iterator[ConfigError]:
    """Yield the errors of a list of ranges.

    Args:
        written: The list as in the file, so that one wrong range hides no error of the others.
        scheme: The load balancer's scheme, or None if it has an error.
        key: The key of the list.
    """
    if not is_list(written):
        return
    if len(written) > MAX_SOURCE_RANGES:
        yield ConfigError(
            key=key,
            text=f"{len(written)} ranges are too many: a security group has room for {MAX_SOURCE_RANGES}, so merge "
            "neighbouring ranges",
        )
    valid = {index: one for index, one in enumerate(written) if isinstance(one, str) and _is_valid(one)}
    for index, one in valid.items():
        place = key_path(key, index)
        if one in [other for before, other in valid.items() if before < index]:
            yield ConfigError(key=place, text=f"{one!r} is listed twice: remove one")
            continue
        network = IPv4Network(one)
        around = next((other for other in valid.values() if one != other and network.subnet_of(IPv4Network(other))), "")
        if around:
            yield ConfigError(key=place, text=f"{one!r} is inside {around!r}: remove it")
        special = special_range(network)
        if scheme == INTERNET_FACING and special and special.reach == "private":
            yield ConfigError(
                key=place,
                text=f"{one!r} is {special.name}, which never reaches an internet-facing load balancer: use public "
                "addresses, or set scheme: internal",
            )


def _is_valid(one: str) -> bool:
    try:
        source_range(one)
    except ValueError:
        return False
    return True


def source_range_warnings(settings: StackSettings, project: str) -> Iterator[ConfigError]:
    """Yield a warning for each range that only examples have."""
    for index, one in enumerate(settings.endpoint.source_ranges if settings.endpoint else ()):
        special = special_range(IPv4Network(one))
        if special and special.reach == "documentation":
            yield ConfigError(
                key=key_path(f"{project}:endpoint", "sourceRanges", index),
                text=f"{one!r} is {special.name}, so no client is in it: replace it with the addresses of your clients",
            )
