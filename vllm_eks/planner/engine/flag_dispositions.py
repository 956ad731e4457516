"""How each `vllm serve` flag in `extraArgs` is handled, from data/vllm_flags/dispositions.json."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

from vllm_eks.json_fields import Fields
from vllm_eks.json_values import is_object, parse_json
from vllm_eks.planner.engine.engine_flags import OFFLOADING_CONNECTORS
from vllm_eks.planner.engine.flag_reading import GivenFlag
from vllm_eks.planner.engine.flag_tables import TABLES
from vllm_eks.planner.engine.flag_values import json_text


@dataclass(frozen=True, kw_only=True)
class Row:
    """Flags that are refused or cause a warning, for one reason."""

    flags: tuple[str, ...]
    reason: str
    do: str = ""
    """The fix, for a row that refuses."""
    only: tuple[str, ...] = ()
    """The values that the row applies to. Empty means all values except `but`."""
    but: tuple[str, ...] = ()
    """Accepted values, besides the flag's default."""
    judge: str = ""
    """The name of a function in VALUE_RULES that decides which values the row applies to."""

    @classmethod
    def from_json(cls, row: object, *, where: str) -> Self:
        """Return a row of the table.

        Raises:
            WrongField: It lacks a field, or has one of another name or type.
        """
        fields = Fields(row, where=where)
        read = cls(
            flags=fields.texts("flags"),
            reason=fields.required("reason", str),
            do=fields.optional("do", str, cls.do),
            only=fields.texts("only"),
            but=fields.texts("but"),
            judge=fields.optional("judge", str, cls.judge),
        )
        fields.end()
        return read


@dataclass(frozen=True, kw_only=True)
class Need:
    """Flags that vLLM refuses without another one."""

    flags: tuple[str, ...]
    other: str
    value: str = ""
    """The value that the other flag must have, if not any."""
    instead: tuple[str, ...] = ()
    """Flags that do as well."""
    only: tuple[str, ...] = ()
    """The values of the flags that need it. Empty means all."""

    @classmethod
    def from_json(cls, row: object, *, where: str) -> Self:
        """Return a row of the table.

        Raises:
            WrongField: It lacks a field, or has one of another name or type.
        """
        fields = Fields(row, where=where)
        read = cls(
            flags=fields.texts("flags"),
            other=fields.required("other", str),
            value=fields.optional("value", str, cls.value),
            instead=fields.texts("instead"),
            only=fields.texts("only"),
        )
        fields.end()
        return read

    def lacks(self, given: GivenFlag, all_given: Iterable[GivenFlag]) -> bool:
        """Return whether a flag is one of these and the other one is missing."""
        if given.flag.name not in self.flags or given.is_off or given.values in (("",), ("None",)):
            return False
        if self.only and not any(value in self.only for value in given.values):
            return False
        others = [one for one in all_given if one.flag.name in (self.other, *self.instead) and not one.is_off]
        return not any(not self.value or self.value in map(str.lower, one.values) for one in others)


@dataclass(frozen=True, kw_only=True)
class Dispositions:
    """How all flags are handled, by main spelling."""

    keys: Mapping[str, str]
    """Flags that have their own key in the stack file."""
    plan: frozenset[str]
    chart: frozenset[str]
    secrets: frozenset[str]
    counted: frozenset[str]
    """Flags whose memory is in the plan (planner.engine.counted_flags)."""
    refused: tuple[Row, ...]
    warned: tuple[Row, ...]
    needs: tuple[Need, ...]
    harmless: frozenset[str]
    gone: Mapping[str, str]
    """Flags that vLLM removed, each with its replacement."""

    @property
    def owned(self) -> frozenset[str]:
        """Flags that vllm-eks sets itself."""
        return frozenset(self.keys) | self.plan | self.chart

    @property
    def known(self) -> frozenset[str]:
        """Every flag that the table covers."""
        rows = {flag for row in (*self.refused, *self.warned) for flag in row.flags}
        return self.owned | self.secrets | self.counted | self.harmless | rows


@cache
def dispositions() -> Dispositions:
    """Return the table of dispositions."""
    document = json.loads((TABLES / "dispositions.json").read_text())
    owned = document["owned"]
    return Dispositions(
        keys=owned["keys"],
        plan=frozenset(owned["plan"]),
        chart=frozenset(owned["chart"]),
        secrets=frozenset(owned["secrets"]),
        counted=frozenset(document["counted"]),
        refused=_rows("refused", document["refused"]),
        warned=_rows("warned", document["warned"]),
        needs=tuple(
            Need.from_json(row, where=f"{TABLES.name}/dispositions.json: needs {at}")
            for at, row in enumerate(document["needs"])
        ),
        harmless=frozenset(document["harmless"]),
        gone=document["gone"],
    )


def refusals_of(given: GivenFlag, checkpoint_quantization: str) -> Iterator[Row]:
    """Yield the rows that refuse a flag with its given value."""
    return (row for row in dispositions().refused if _applies(row, given, checkpoint_quantization))


def warnings_of(given: GivenFlag, checkpoint_quantization: str) -> Iterator[Row]:
    """Yield the rows that warn about a flag with its given value."""
    return (row for row in dispositions().warned if _applies(row, given, checkpoint_quantization))


def missing_needs(given: Sequence[GivenFlag]) -> Iterator[tuple[GivenFlag, Need]]:
    """Yield each flag that vLLM refuses because another one is missing."""
    return ((one, need) for one in given for need in dispositions().needs if need.lacks(one, given))


def _rows(name: str, rows: Iterable[object]) -> tuple[Row, ...]:
    return tuple(
        Row.from_json(row, where=f"{TABLES.name}/dispositions.json: {name} {at}") for at, row in enumerate(rows)
    )


def _applies(row: Row, given: GivenFlag, checkpoint_quantization: str) -> bool:
    if given.flag.name not in row.flags:
        return False
    if given.flag.form == "flag":
        return given.is_off == (given.flag.default is True)
    if all(_is_default(given, value) or value.lower() in row.but for value in given.values):
        return False
    if row.only:
        return any(value.lower() in row.only for value in given.values)
    return VALUE_RULES[row.judge](given, checkpoint_quantization) if row.judge else True


def _is_default(given: GivenFlag, value: str) -> bool:
    default = given.flag.default
    if value in ("{}", "[]") or (given.flag.none and value in ("", "None")):
        return True
    if isinstance(default, str):
        return value.lower() == default.lower()
    number = _number(value)
    return isinstance(default, (int, float)) and number is not None and number == float(default)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_other_quantization(given: GivenFlag, checkpoint_quantization: str) -> bool:
    return any(_plain(value) != _plain(checkpoint_quantization) for value in given.values)


def _plain(method: str) -> str:
    """Return a quantization method without its kernel prefix or suffix: awq_marlin and auto_awq are awq."""
    return method.lower().replace("-", "_").removeprefix("auto_").removesuffix("_marlin")


def _is_other_connector(given: GivenFlag, _: str) -> bool:
    return any(_connector(value).get("kv_connector") not in OFFLOADING_CONNECTORS for value in given.values)


def _has_secondary_tiers(given: GivenFlag, _: str) -> bool:
    extras = (_connector(value).get("kv_connector_extra_config") for value in given.values)
    return any(is_object(extra) and "secondary_tiers" in extra for extra in extras)


def _connector(value: str) -> Mapping[str, object]:
    try:
        document: object = parse_json(json_text(value))
    except ValueError:
        return {}
    return document if is_object(document) else {}


def _is_more_than_default(given: GivenFlag, _: str) -> bool:
    default = given.flag.default
    numbers = [_number(value) for value in given.values]
    return any(number is None or number < 0 or number > float(default or 0) for number in numbers)


VALUE_RULES: Mapping[str, Callable[[GivenFlag, str], bool]] = {
    "other_quantization": _is_other_quantization,
    "other_connector": _is_other_connector,
    "secondary_tiers": _has_secondary_tiers,
    "more_than_default": _is_more_than_default,
}
