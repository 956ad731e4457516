"""Scores predictions of benchmark rows: median, p90 and bias of three measures, and how many the range holds.

A sweep over n loads of one configuration counts as n ** 0.5 rows.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.accuracy.bench.predict import Prediction
from tests.accuracy.bench.rows import BenchRow
from vllm_eks.planner.ranges import Range

MEASURES = ("output tok/s", "TPOT", "TTFT")


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Predicted over measured value of one row, with its weight."""

    value: float
    weight: float
    is_held: bool
    """Whether the printed range holds the measured value."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The ratios of a group of rows by measure."""

    rows: int
    missing: int
    ratios: Mapping[str, Sequence[Ratio]] = field(default_factory=dict[str, Sequence[Ratio]])

    def median(self, measure: str) -> float:
        """Return the weighted median of the errors."""
        return self._error(measure, 0.5)

    def ninth_decile(self, measure: str) -> float:
        """Return the error that nine in ten rows do not exceed."""
        return self._error(measure, 0.9)

    def bias(self, measure: str) -> float:
        """Return the weighted median of predicted over measured values."""
        return quantile([(one.value, one.weight) for one in self.ratios[measure]], 0.5)

    def held(self, measure: str) -> float:
        """Return the share of rows, each with its weight, whose measured value is in the range."""
        total = sum(one.weight for one in self.ratios[measure])
        return sum(one.weight for one in self.ratios[measure] if one.is_held) / total if total else float("nan")

    def _error(self, measure: str, share: float) -> float:
        return quantile([(abs(one.value - 1), one.weight) for one in self.ratios[measure]], share)


def quantile(pairs: Sequence[tuple[float, float]], share: float) -> float:
    """Return the smallest value up to which the weights reach this share of their sum."""
    total, run = sum(weight for _, weight in pairs), 0.0
    for value, weight in sorted(pairs):
        run += weight
        if run >= share * total:
            return value
    return float("nan")


def weights_of(rows: Sequence[BenchRow]) -> Mapping[str, float]:
    """Return the weight of each row."""
    sizes = Counter(row.cell for row in rows)
    return {row.id: sizes[row.cell] ** -0.5 for row in rows}


def score(
    rows: Sequence[BenchRow], predictions: Mapping[str, Prediction], group: Callable[[BenchRow], str]
) -> Mapping[str, Cell]:
    """Return the scores by group, and of all rows under ALL."""
    weights = weights_of(rows)
    groups: dict[str, list[BenchRow]] = defaultdict(list)
    for row in rows:
        groups[group(row)].append(row)
    return {name: _cell(of, predictions, weights) for name, of in [*sorted(groups.items()), ("ALL", list(rows))]}


def measured_over_predicted(row: BenchRow, found: Prediction, measure: str) -> float | None:
    """Return the ratio of one measure, or None where one of the two is not there or the row's is not scored."""
    predicted, measured = _pair(row, found, measure)
    return measured / predicted.best if predicted and measured else None


def _pair(row: BenchRow, found: Prediction, measure: str) -> tuple[Range | None, float | None]:
    match measure:
        case "output tok/s":
            return found.output_tokens_per_second, row.output_tps
        case "TPOT":
            return found.tpot_seconds, row.tpot_ms and row.tpot_ms / 1e3
        case _:
            return found.ttft_seconds, None if row.saturated else row.ttft_ms and row.ttft_ms / 1e3


def _cell(rows: Sequence[BenchRow], predictions: Mapping[str, Prediction], weights: Mapping[str, float]) -> Cell:
    ratios: dict[str, list[Ratio]] = {measure: [] for measure in MEASURES}
    for row in (one for one in rows if one.id in predictions):
        for measure in MEASURES:
            predicted, measured = _pair(row, predictions[row.id], measure)
            if predicted and measured:
                held = predicted.low <= measured <= predicted.high
                ratios[measure].append(Ratio(value=predicted.best / measured, weight=weights[row.id], is_held=held))
    return Cell(rows=len(rows), missing=sum(1 for row in rows if row.id not in predictions), ratios=ratios)
