"""What `vllm serve` takes in each version: tables read off real parsers, in data/vllm_flags.

`tests/flag_tables/make_table.py` makes a table. Between two tables a version is judged by both of its neighbours.
"""

import json
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from vllm_eks.data import DATA
from vllm_eks.planner.vllm_version import Version, parse_version

TABLES = DATA / "vllm_flags"


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One flag of one version."""

    name: str
    """The main spelling, such as --max-model-len."""
    form: str
    """flag (takes no value), choice, string, json, integer, human_integer, human_integer_or_auto or float."""
    aliases: tuple[str, ...] = ()
    inverses: tuple[str, ...] = ()
    """Spellings that switch it off, such as --no-enforce-eager."""
    choices: tuple[str, ...] = ()
    folds_case: bool = False
    """The choices are compared in lower case, with - for _."""
    nargs: str | None = None
    """None: one value; + and ?: as in argparse."""
    none: bool = False
    """Takes the word None, for no value."""
    repeats: bool = False
    """May be given more than once."""
    default: bool | float | str | None = None
    keys: tuple[str, ...] = ()
    """The keys of a JSON value, where vLLM checks them."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every spelling, the main one first."""
        return (self.name, *self.aliases, *self.inverses)


@dataclass(frozen=True, kw_only=True)
class FlagTable:
    """The flags and names of one version."""

    version: str
    source: str
    flags: Mapping[str, Flag]
    """By main spelling."""
    tool_parsers: tuple[str, ...]
    reasoning_parsers: tuple[str, ...]
    kv_cache_dtypes: tuple[str, ...]
    environment: frozenset[str]
    """The environment variables that this version reads through vllm.envs."""

    @cached_property
    def by_spelling(self) -> Mapping[str, Flag]:
        """Each flag under all of its spellings."""
        return {spelling: flag for flag in self.flags.values() for spelling in flag.spellings}


@cache
def table_versions() -> tuple[Version, ...]:
    """Return the versions that have a table, oldest first."""
    return tuple(sorted(parse_version(path.stem) for path in TABLES.glob("[0-9]*.json")))


def flag_table(version: str) -> FlagTable | None:
    """Return the table of exactly this release (0.21.0.post1 counts as 0.21.0); None where there is none."""
    parsed = parse_version(version)
    return _read(parsed) if parsed in table_versions() else None


def nearest_table(version: str) -> FlagTable:
    """Return the table of this release, else that of the release next to it: the older one of two as near."""
    wanted = parse_version(version)

    def distance(known: Version) -> tuple[int, int]:
        return (abs(known[1] - wanted[1]), abs(known[2] - wanted[2]))

    return _read(min(table_versions(), key=distance))


@cache
def all_flags(version: str) -> Mapping[str, Flag]:
    """Return every flag of any table, by spelling; where two differ, as the nearest table has it."""
    nearest = nearest_table(version)
    others = [_read(known) for known in table_versions()]
    return ChainMap(dict(nearest.by_spelling), *(dict(table.by_spelling) for table in reversed(others)))


@cache
def _read(version: Version) -> FlagTable:
    document = json.loads((TABLES / f"{'.'.join(map(str, version))}.json").read_text())
    return FlagTable(
        version=document["vllm"],
        source=document["source"],
        flags={name: _flag(name, row) for name, row in document["flags"].items()},
        tool_parsers=tuple(document["parsers"]["tool"]),
        reasoning_parsers=tuple(document["parsers"]["reasoning"]),
        kv_cache_dtypes=tuple(document["kv_cache_dtypes"]),
        environment=frozenset(document["environment"]),
    )


def _flag(name: str, row: Mapping[str, Any]) -> Flag:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Flag(name=name, **values)
