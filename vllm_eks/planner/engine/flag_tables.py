"""The `vllm serve` flags of each version, from tables in data/vllm_flags that were generated from the real parsers.

`tests/flag_tables/make_table.py` makes a table. A version between two tables is checked against both.
"""

import json
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

from vllm_eks.data import DATA
from vllm_eks.json_fields import Fields
from vllm_eks.planner.value_limits import Bounds, KeyLimits, key_limits
from vllm_eks.planner.vllm_version import Version, parse_version

NO_BOUNDS = Bounds()
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
    """Spellings that turn it off, such as --no-enforce-eager."""
    choices: tuple[str, ...] = ()
    folds_case: bool = False
    """Whether choices are compared in lower case with _ for -."""
    nargs: str | None = None
    """As in argparse: None for one value, or + or ?."""
    none: bool = False
    """Whether the word None is accepted as no value."""
    repeats: bool = False
    """Whether it may be given more than once."""
    default: bool | float | str | None = None
    keys: tuple[str, ...] = ()
    """The keys of a JSON value that vLLM's parser accepts. Empty when the parser does not check them."""
    names: tuple[str, ...] = ()
    """The texts that vLLM accepts after parsing. Empty means any."""
    folds_names: bool = False
    """Whether names are compared without their case."""
    bounds: Bounds = NO_BOUNDS
    value_rows: Mapping[str, object] | None = None
    """The limits of each key of a JSON value, as in the table, or None for any keys and values."""
    folds_keys: bool = False
    """Whether keys may be written with - for _."""

    @classmethod
    def from_json(cls, name: str, row: object, *, where: str) -> Self:
        """Return a flag of a table.

        Raises:
            WrongField: Its row lacks a field, or has one of another name or type.
        """
        fields = Fields(row, where=f"{where}: {name}")
        read = cls(
            name=name,
            form=fields.required("form", str),
            aliases=fields.texts("aliases"),
            inverses=fields.texts("inverses"),
            choices=fields.texts("choices"),
            folds_case=fields.optional("folds_case", bool, cls.folds_case),
            nargs=fields.optional("nargs", str, cls.nargs),
            none=fields.optional("none", bool, cls.none),
            repeats=fields.optional("repeats", bool, cls.repeats),
            default=fields.scalar("default"),
            keys=fields.texts("keys"),
            names=fields.texts("names"),
            folds_names=fields.optional("folds_names", bool, cls.folds_names),
            bounds=Bounds.taken_from(fields),
            value_rows=fields.optional_object("values"),
            folds_keys=fields.optional("folds_keys", bool, cls.folds_keys),
        )
        fields.end()
        return read

    @cached_property
    def value_limits(self) -> Mapping[str, KeyLimits] | None:
        """The limits of each key of a JSON value, or None for any keys and values."""
        return None if self.value_rows is None else key_limits(self.value_rows, where=self.name)

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
        """Map every spelling to its flag."""
        return {spelling: flag for flag in self.flags.values() for spelling in flag.spellings}


@cache
def table_versions() -> tuple[Version, ...]:
    """Return the versions that have a table, oldest first."""
    return tuple(sorted(parse_version(path.stem) for path in TABLES.glob("[0-9]*.json")))


def flag_table(version: str) -> FlagTable | None:
    """Return the table of exactly this release (0.21.0.post1 counts as 0.21.0), or None when there is none."""
    parsed = parse_version(version)
    return _read(parsed) if parsed in table_versions() else None


def nearest_table(version: str) -> FlagTable:
    """Return the table of this release or of the nearest release, the older one when two are equally near."""
    requested = parse_version(version)

    def distance(known: Version) -> tuple[int, int]:
        return (abs(known[1] - requested[1]), abs(known[2] - requested[2]))

    return _read(min(table_versions(), key=distance))


@cache
def all_flags(version: str) -> Mapping[str, Flag]:
    """Return the flags of all tables, by spelling. Where tables differ, the nearest one wins."""
    nearest = nearest_table(version)
    others = [_read(known) for known in table_versions()]
    return ChainMap(dict(nearest.by_spelling), *(dict(table.by_spelling) for table in reversed(others)))


def flags_of(version: str) -> Mapping[str, Flag]:
    """Return the flags of a release by spelling: of its own table, or of all tables where it has none."""
    table = flag_table(version)
    return table.by_spelling if table else all_flags(version)


@cache
def _read(version: Version) -> FlagTable:
    file = TABLES / f"{'.'.join(map(str, version))}.json"
    document = json.loads(file.read_text())
    where = f"{TABLES.name}/{file.name}"
    return FlagTable(
        version=document["vllm"],
        source=document["source"],
        flags={name: Flag.from_json(name, row, where=where) for name, row in document["flags"].items()},
        tool_parsers=tuple(document["parsers"]["tool"]),
        reasoning_parsers=tuple(document["parsers"]["reasoning"]),
        kv_cache_dtypes=tuple(document["kv_cache_dtypes"]),
        environment=frozenset(document["environment"]),
    )
