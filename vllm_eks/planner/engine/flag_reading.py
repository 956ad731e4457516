"""Parses arguments the way `vllm serve` does: spellings, abbreviations, values.

Source: vllm/utils/argparse_utils.py (FlexibleArgumentParser) of 0.21.0 to 0.33.0, and argparse of Python 3.12. Tested
against recorded runs of the real parsers in tests/data/vllm_flag_runs.json.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vllm_eks.json_values import is_list, is_object, parse_json
from vllm_eks.planner.engine.flag_tables import Flag
from vllm_eks.planner.engine.flag_values import limit_error, value_error

NUMBER = re.compile(r"-\d+|-\d*\.\d+")


@dataclass(frozen=True, kw_only=True)
class GivenFlag:
    """A flag as the user wrote it, and the vLLM flag that it matches."""

    index: int
    """Position of its argument in the list."""
    written: str
    """The flag as written, without a value: --no_enforce_eager, -tp, --limit-mm-per-prompt.image."""
    spelling: str
    """The full name that vLLM resolves it to."""
    flag: Flag
    values: tuple[str, ...] = ()

    @property
    def is_off(self) -> bool:
        """Whether it is an inverse spelling, such as --no-enforce-eager."""
        return self.spelling in self.flag.inverses

    @property
    def is_short(self) -> bool:
        """Whether argparse completed its name."""
        name = name_of(self.written)
        return self.spelling != name and self.spelling.startswith(name)


@dataclass(frozen=True, kw_only=True)
class Misread:
    """An argument that vLLM rejects."""

    index: int
    text: str
    no_flag: str | None = None
    """The name, when it matches no flag or several."""
    by_table: bool = True
    """Whether another vLLM version might accept it."""
    after_parsing: bool = False
    """Whether vLLM's parser accepts it, and its config classes do not."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The flags and errors in a list of arguments."""

    flags: Sequence[GivenFlag]
    errors: Sequence[Misread]


def read_flags(args: Sequence[str], flags: Mapping[str, Flag]) -> Reading:
    """Parse the arguments after the model's name. `flags` maps every spelling to its flag."""
    reader = _Reader(args, flags)
    while reader.at < len(args):
        reader.read_one()
    given = _merged(reader.given)
    errors = [*reader.errors, *_duplicates(given)]
    for flag in given:
        error = value_error(flag.flag, flag.values)
        later = None if error else limit_error(flag.flag, flag.values)
        if error or later:
            text = f"{flag.written}: {error or later}"
            errors.append(Misread(index=flag.index, text=text, after_parsing=later is not None))
    return Reading(flags=given, errors=sorted(errors, key=lambda error: error.index))


class _Reader:
    """Parses the arguments one by one."""

    def __init__(self, args: Sequence[str], flags: Mapping[str, Flag]) -> None:
        self.args, self.flags, self.at = args, flags, 0
        self.given: list[GivenFlag] = []
        self.errors: list[Misread] = []

    def read_one(self) -> None:
        """Parse the next argument and the values that follow it."""
        index, arg = self.at, self.args[self.at]
        self.at += 1
        written, equals, value = arg.partition("=")
        if not arg:
            self._add_error(index, "is empty: remove it")
        elif index == 0 and not arg.startswith("-"):
            self._add_error(index, f"{arg!r} is not a flag: start the list with a flag, such as --seed")
        elif not arg.startswith("-") or arg in ("-", "--"):
            self._add_error(index, f"{arg!r} does not belong to a flag: remove it", by_table=True)
        elif " " in written:
            first, _, rest = arg.partition(" ")
            self._add_error(index, f"{arg!r} is one item: split it into {first} and {rest.strip()}")
        elif written.startswith("-O"):
            self._read_optimization(index, written, value)
        else:
            self._read_flag(index, written, [value] if equals else None)

    def _read_flag(self, index: int, written: str, value: list[str] | None) -> None:
        name = name_of(written)
        candidates = _candidates(name, self.flags)
        if len(candidates) != 1:
            self._take_values(None)  # the values that follow belong to it
            self.errors.append(Misread(index=index, text=_ambiguity(written, candidates), no_flag=name))
            return
        spelling, attached = candidates[0]
        flag = self.flags[spelling]
        if flag.form == "flag" and value is not None:
            self._add_error(index, f"{written} takes no value: remove ={value[0]}", by_table=True)
            value = []
        values = value if value is not None else [attached] if attached else self._take_values(flag)
        if "." in written:
            values = [_dotted(written, values[0] if values else "")]
        self.given.append(GivenFlag(index=index, written=written, spelling=spelling, flag=flag, values=tuple(values)))

    def _read_optimization(self, index: int, written: str, value: str) -> None:
        """Parse -O3, -O=3 and -O 3, which mean --optimization-level."""
        level = written[2:] or value
        if level:
            self._read_flag(index, "--optimization-level", [level])
        elif self.at < len(self.args) and self.args[self.at] in ("0", "1", "2", "3"):
            self._read_flag(index, "--optimization-level", None)
        else:
            self._read_flag(index, written, None)

    def _take_values(self, flag: Flag | None) -> list[str]:
        """Take the values that follow: as many as the flag accepts, or all of them."""
        limit = {"flag": 0}.get(flag.form, None if flag.nargs == "+" else 1) if flag else None
        values: list[str] = []
        while self.at < len(self.args) and not _is_flag_like(self.args[self.at]):
            if limit is not None and len(values) == limit:
                break
            values.append(self.args[self.at])
            self.at += 1
        return values

    def _add_error(self, index: int, text: str, *, by_table: bool = False) -> None:
        self.errors.append(Misread(index=index, text=text, by_table=by_table))


def _ambiguity(written: str, candidates: Sequence[tuple[str, str]]) -> str:
    names = sorted(spelling for spelling, _ in candidates)
    if not names:
        return f"{written} is not a flag"
    return f"{written} may mean {' or '.join(names[:3])}{' or others' * (len(names) > 3)}: write the full name"


def name_of(written: str) -> str:
    """Return the name that vLLM looks up, with dashes for underscores and without the part after a dot."""
    name = written.partition(".")[0]
    return f"--{name[2:].replace('_', '-')}" if name.startswith("--") else name


def _candidates(name: str, flags: Mapping[str, Flag]) -> list[tuple[str, str]]:
    """Return the spellings that a name may mean, each with the value attached to it (-n2)."""
    if name in flags:
        return [(name, "")]
    matches = [(spelling, "") for spelling in flags if spelling.startswith(name)]
    if not name.startswith("--") and name[:2] in flags:
        matches.append((name[:2], name[2:]))
    return matches


def _is_flag_like(arg: str) -> bool:
    # vLLM takes "--seed 7" in one item as a value, which is never intended.
    is_value = NUMBER.fullmatch(arg) or (" " in arg.partition("=")[0] and not arg.startswith("--"))
    return arg.startswith("-") and len(arg) > 1 and not is_value


def _dotted(written: str, value: str) -> str:
    """Return the JSON that `--x.a.b value` means."""
    keys = written.rstrip("+").split(".")[1:]
    inner: Any = value.split(",") if written.endswith("+") else _json_or_text(value)
    for key in reversed(keys):
        inner = {key: inner}
    return json.dumps(inner)


def _json_or_text(value: str) -> Any:  # noqa: ANN401  (whatever JSON holds)
    try:
        return parse_json(value)
    except ValueError:
        return value


def _merged(given: Sequence[GivenFlag]) -> list[GivenFlag]:
    """Merge the dotted forms of each flag into one JSON object, as vLLM does."""
    merged: list[GivenFlag] = []
    first: dict[str, int] = {}
    for flag in given:
        if "." not in flag.written:
            merged.append(flag)
        elif flag.flag.name not in first:
            first[flag.flag.name] = len(merged)
            merged.append(flag)
        else:
            at = first[flag.flag.name]
            document = _merge_json(json.loads(merged[at].values[0]), json.loads(flag.values[0]))
            merged[at] = replace(merged[at], values=(json.dumps(document),))
    return merged


def _merge_json(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    result = dict(first)
    for key, value in other.items():
        known: object = result.get(key)
        if is_object(known) and is_object(value):
            result[key] = _merge_json(known, value)
        elif is_list(known) and is_list(value):
            result[key] = known + value
        else:
            result[key] = value
    return result


def _duplicates(given: Sequence[GivenFlag]) -> list[Misread]:
    """Return an error for each flag given twice. vLLM silently uses the last one, which hides a mistake."""
    seen: dict[str, GivenFlag] = {}
    errors: list[Misread] = []
    for flag in given:
        earlier = seen.setdefault(flag.flag.name, flag)
        if earlier is not flag and not flag.flag.repeats:
            text = f"{flag.written} is given twice, first as {earlier.written}: remove one"
            errors.append(Misread(index=flag.index, text=text))
    return errors
