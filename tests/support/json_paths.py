"""The keys of a JSON object as dotted paths, for tests of descriptions."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any


def json_paths(value: Mapping[str, Any], described: Collection[str], above: str = "") -> Iterator[str]:
    """Yield the path of every key. An object that is described as a whole is one key."""
    for name, inner in value.items():
        path = f"{above}{name}"
        if path not in described and isinstance(inner, dict):
            yield from json_paths(inner, described, f"{path}.")
        else:
            yield path
