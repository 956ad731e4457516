"""Traffic and service level as people write them, in options of `vllm-eks size` or in keys of a stack file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

Naming = Callable[[str], str]
"""How a value is named where it is written: `shared_prefix` is --shared-prefix or sharedPrefix."""


def option_name(name: str) -> str:
    """Return the option of a value.

    >>> option_name("shared_prefix")
    '--shared-prefix'
    """
    return f"--{name.replace('_', '-')}"


def key_name(name: str) -> str:
    """Return the key of a value in a stack file.

    >>> key_name("shared_prefix")
    'sharedPrefix'
    """
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


@dataclass(frozen=True, kw_only=True)
class WrongWord:
    """An error in one value, or in several together."""

    name: str
    """Of the value, such as `shared_prefix`, or empty if several are wrong together."""
    text: str
    """Begins with the value if there is one."""

    def named(self, naming: Naming) -> str:
        """Return the error with the name of its value before it."""
        return f"{naming(self.name)} {self.text}" if self.name else self.text


@dataclass(frozen=True, kw_only=True)
class TrafficWords:
    """What someone wrote: text of an option, or a value of a stack file. None is what they left out."""

    requests_per_second: float | str | None = None
    concurrent_users: int | str | None = None
    think_time: str | None = None
    input: str | None = None
    output: str | None = None
    workload: str | None = None
    dataset: Path | None = None
    shared_prefix: int | str | None = None
    ttft: str | None = None
    itl: str | None = None
    e2e: str | None = None
    unreadable: frozenset[str] = frozenset()
    """Names of values that are there, but of a kind that has an error already. They are None here."""

    def given(self, name: str) -> bool:
        """Return whether a value is there."""
        return name in self.unreadable or getattr(self, name) is not None

    @property
    def values(self) -> Iterator[tuple[str, object]]:
        """The values that are there, by name."""
        for one in fields(self):
            value: object = getattr(self, one.name)
            if one.name != "unreadable" and value is not None:
                yield one.name, value
