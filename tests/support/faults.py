"""Faults in the series of a healthy stack, for tests of alerts."""

from collections.abc import Mapping, Sequence

from tests.support.promtool import Alert, RuleTest, Segment
from tests.support.watched_stacks import MINUTES, healthy

OF_STACK = {"stack": "vllm-eks-test"}
AT = 15
"""The minute of each fault."""
OF_SCOUT = {**OF_STACK, "model": "scout", "namespace": "vllm-scout"}
OF_LEADER = {**OF_SCOUT, "pod": "scout-0"}


def fault(
    alert: Alert,
    changes: Mapping[str, Sequence[Segment]],
    *,
    quiet: int,
    fires: int,
    resolved: int,
    beside: Mapping[str, int] | None = None,
    without: Sequence[str] = (),
) -> RuleTest:
    """Return a test: quiet at one minute, firing with its texts at another, resolved at a third."""
    others = beside or {}
    return RuleTest(
        name=alert.name,
        series={name: value for name, value in {**healthy(), **changes}.items() if name not in without},
        firing={quiet: dict(others), fires: {alert.name: 1, **others}, resolved: {}},
        alerts={fires: [alert]},
    )


def between(start: int, end: int, usual: float, wrong: float | None) -> list[Segment]:
    """Return the usual value, with another one from one minute to another."""
    return [(start, usual), (end - start, wrong), (MINUTES - end, usual)]


def stopped(start: int, end: int, per_minute: float) -> list[Segment]:
    """Return a counter that does not grow from one minute to another."""
    return [
        (start, 0, per_minute),
        (end - start, per_minute * (start - 1)),
        (MINUTES - end, per_minute * start, per_minute),
    ]


def counter_that_grows(start: int, end: int, base: float, per_minute: float) -> list[Segment]:
    """Return a counter that grows only from one minute to another."""
    return [(start, base), (end - start, base, per_minute), (MINUTES - end, base + per_minute * (end - start - 1))]


def with_gap(
    changes: Mapping[str, Sequence[Segment]], at: int, minutes: int, *beginnings: str
) -> dict[str, Sequence[Segment]]:
    """Return the changes with failed scrapes of all series with these beginnings."""
    series = {**healthy(), **changes}
    return {**changes, **{name: _cut(series[name], at, minutes) for name in series if name.startswith(beginnings)}}


def _cut(segments: Sequence[Segment], at: int, minutes: int) -> list[Segment]:
    """Return the same values, without those of some minutes."""
    values: list[float | None] = []
    for count, value, *per_minute in segments:
        step = per_minute[0] if per_minute else 0
        values += [None if value is None else value + step * minute for minute in range(count)]
    return [(1, None if at <= minute < at + minutes else value) for minute, value in enumerate(values)]
