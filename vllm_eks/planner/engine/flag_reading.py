"""Read arguments the way `vllm serve` does: spellings, beginnings of names, values.

Source: vllm/utils/argparse_utils.py (FlexibleArgumentParser) of 0.21.0 to 0.33.0, and argparse of Python 3.12. Held
against the live parsers by tests/data/vllm_flag_runs.json.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vllm_eks.planner.engine.flag_tables import Flag
from vllm_eks.planner.engine.flag_values import value_error

NUMBER = re.compile(r"-\d+|-\d*\.\d+")


@dataclass(frozen=True, kw_only=True)
class GivenFlag:
    """A flag that some version has, as it is given."""

    index: int
    """Of its argument in the list."""
    written: str
    """As in the list, without a value: --no_enforce_eager, -tp, --limit-mm-per-prompt.image."""
    spelling: str
    """The whole name that vLLM takes it for."""
    flag: Flag
    values: tuple[str, ...] = ()

    @property
    def is_off(self) -> bool:
        """Whether it switches off what the flag switches on."""
        return self.spelling in self.flag.inverses

    @property
    def is_short(self) -> bool:
        """Whether argparse completed its name."""
        name = name_of(self.written)
        return self.spelling != name and self.spelling.startswith(name)


@dataclass(frozen=True, kw_only=True)
class Misread:
    """An argument that vLLM does not take."""

    index: int
    text: str
    no_flag: str | None = None
    """The name, where it is not that of one flag."""
    by_table: bool = True
    """Whether another version might take it."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a list of arguments says."""

    flags: Sequence[GivenFlag]
    errors: Sequence[Misread]


def read_flags(args: Sequence[str], flags: Mapping[str, Flag]) -> Reading:
    """Read the arguments after the model's name; `flags` holds each flag under all of its spellings."""
    reader = _Reader(args, flags)
    while reader.at < len(args):
        reader.read_one()
    given = _merged(reader.given)
    errors = [*reader.errors, *_twice(given)]
    for one in given:
        error = value_error(one.flag, one.values)
        if error:
            errors.append(Misread(index=one.index, text=f"{one.written}: {error}"))
    return Reading(flags=given, errors=sorted(errors, key=lambda error: error.index))


class _Reader:
    """Walks through the arguments."""

    def __init__(self, args: Sequence[str], flags: Mapping[str, Flag]) -> None:
        self.args, self.flags, self.at = args, flags, 0
        self.given: list[GivenFlag] = []
        self.errors: list[Misread] = []

    def read_one(self) -> None:
        """Read the argument at hand, and the values that follow it."""
        index, arg = self.at, self.args[self.at]
        self.at += 1
        written, equals, value = arg.partition("=")
        if not arg:
            self._wrong(index, "is empty: remove it")
        elif index == 0 and not arg.startswith("-"):
            self._wrong(index, f"{arg!r} is not a flag: begin the list with one, such as --seed")
        elif not arg.startswith("-") or arg in ("-", "--"):
            self._wrong(index, f"{arg!r} belongs to no flag: remove it", by_table=True)
        elif " " in written:
            first, _, rest = arg.partition(" ")
            self._wrong(index, f"{arg!r} is two words in one: write {first}, then {rest.strip()} as an item")
        elif written.startswith("-O"):
            self._read_optimization(index, written, value)
        else:
            self._read_flag(index, written, [value] if equals else None)

    def _read_flag(self, index: int, written: str, value: list[str] | None) -> None:
        name = name_of(written)
        candidates = _candidates(name, self.flags)
        if len(candidates) != 1:
            self._words(None)  # whatever follows belongs to it
            self.errors.append(Misread(index=index, text=_ambiguity(written, candidates), no_flag=name))
            return
        spelling, glued = candidates[0]
        flag = self.flags[spelling]
        if flag.form == "flag" and value is not None:
            self._wrong(index, f"{written} takes no value: remove ={value[0]}", by_table=True)
            value = []
        values = value if value is not None else [glued] if glued else self._words(flag)
        if "." in written:
            values = [_dotted(written, values[0] if values else "")]
        self.given.append(GivenFlag(index=index, written=written, spelling=spelling, flag=flag, values=tuple(values)))

    def _read_optimization(self, index: int, written: str, value: str) -> None:
        """Read -O3, -O=3 and -O 3, which stand for --optimization-level."""
        level = written[2:] or value
        if level:
            self._read_flag(index, "--optimization-level", [level])
        elif self.at < len(self.args) and self.args[self.at] in ("0", "1", "2", "3"):
            self._read_flag(index, "--optimization-level", None)
        else:
            self._read_flag(index, written, None)

    def _words(self, flag: Flag | None) -> list[str]:
        """Take the values that follow: as many as the flag takes, or all of them."""
        most = {"flag": 0}.get(flag.form, None if flag.nargs == "+" else 1) if flag else None
        words: list[str] = []
        while self.at < len(self.args) and not _is_flag_like(self.args[self.at]):
            if most is not None and len(words) == most:
                break
            words.append(self.args[self.at])
            self.at += 1
        return words

    def _wrong(self, index: int, text: str, *, by_table: bool = False) -> None:
        self.errors.append(Misread(index=index, text=text, by_table=by_table))


def _ambiguity(written: str, candidates: Sequence[tuple[str, str]]) -> str:
    names = sorted(spelling for spelling, _ in candidates)
    if not names:
        return f"{written} is not a flag"
    return f"{written} may mean {' or '.join(names[:3])}{' or others' * (len(names) > 3)}: write the whole name"


def name_of(written: str) -> str:
    """Return the name that vLLM looks up: dashes for underscores, and nothing after a dot."""
    name = written.partition(".")[0]
    return f"--{name[2:].replace('_', '-')}" if name.startswith("--") else name


def _candidates(name: str, flags: Mapping[str, Flag]) -> list[tuple[str, str]]:
    """Return the spellings a name may mean, each with a value that is glued to it (-n2)."""
    if name in flags:
        return [(name, "")]
    found = [(spelling, "") for spelling in flags if spelling.startswith(name)]
    if not name.startswith("--") and name[:2] in flags:
        found.append((name[:2], name[2:]))
    return found


def _is_flag_like(arg: str) -> bool:
    # vLLM takes "--seed 7" in one item for a value; nobody means that.
    is_value = NUMBER.fullmatch(arg) or (" " in arg.partition("=")[0] and not arg.startswith("--"))
    return arg.startswith("-") and len(arg) > 1 and not is_value


def _dotted(written: str, value: str) -> str:
    """Return the JSON that `--x.a.b value` stands for."""
    keys = written.rstrip("+").split(".")[1:]
    inner: Any = value.split(",") if written.endswith("+") else _json_or_text(value)
    for key in reversed(keys):
        inner = {key: inner}
    return json.dumps(inner)


def _json_or_text(value: str) -> Any:  # noqa: ANN401  (whatever JSON holds)
    try:
        return json.loads(value)
    except ValueError:
        return value


def _merged(given: Sequence[GivenFlag]) -> list[GivenFlag]:
    """Put the dotted forms of a flag together: vLLM makes one JSON object of them."""
    kept: list[GivenFlag] = []
    first: dict[str, int] = {}
    for one in given:
        if "." not in one.written:
            kept.append(one)
        elif one.flag.name not in first:
            first[one.flag.name] = len(kept)
            kept.append(one)
        else:
            at = first[one.flag.name]
            together = _together(json.loads(kept[at].values[0]), json.loads(one.values[0]))
            kept[at] = replace(kept[at], values=(json.dumps(together),))
    return kept


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    result = dict(one)
    for key, value in other.items():
        match (result.get(key), value):
            case (dict() as known, dict()):
                result[key] = _together(known, value)
            case (list() as known, list()):
                result[key] = known + value
            case _:
                result[key] = value
    return result


def _twice(given: Sequence[GivenFlag]) -> list[Misread]:
    """Name the second of two: vLLM takes the last without an error, which hides a mistake."""
    seen: dict[str, GivenFlag] = {}
    errors = []
    for one in given:
        before = seen.setdefault(one.flag.name, one)
        if before is not one and not one.flag.repeats:
            text = f"{one.written} is given twice, before as {before.written}: remove one"
            errors.append(Misread(index=one.index, text=text))
    return errors
