"""`python -m tests.accuracy.bench.calibrated`: the ranges of a stack that is corrected by one benchmark.

Of each setup with several rows, each row sets the factor once, and the other rows are scored with it.
"""

from collections.abc import Mapping, Sequence

from tests.accuracy.bench.predict import predict_all
from tests.accuracy.bench.rows import SHARED, BenchRow, read_rows, scored_regimes
from tests.accuracy.bench.score import MEASURES, measured_over_predicted, quantile

ENDS = (0.1, 0.9)
MOST_VOTES = 5
"""Of one setup, however many rows it has."""

Ratios = Mapping[str, Mapping[str, float]]
"""Measured over predicted, by row and measure."""


def setups(rows: Sequence[BenchRow]) -> list[list[BenchRow]]:
    """Return the rows of each model on a machine with one version, by one source."""
    found: dict[tuple[object, ...], list[BenchRow]] = {}
    for row in rows:
        key = (row.source, row.model, row.weights_dtype, row.gpu, row.tp, row.pp, row.vllm_version)
        found.setdefault(key, []).append(row)
    return [one for one in found.values() if len(one) > 1]


def corrected(setup: Sequence[BenchRow], ratios: Ratios, measure: str) -> list[float]:
    """Return the ratios of each row, corrected by the time per output token of each row at another load."""
    return [
        ratios[tested.id][measure] * ratios[by.id]["TPOT"] ** (1 if measure == MEASURES[0] else -1)
        for by in setup
        for tested in setup
        if _load(by) != _load(tested) and "TPOT" in ratios[by.id] and measure in ratios[tested.id]
    ]


def _load(row: BenchRow) -> tuple[object, ...]:
    return (row.concurrency, row.rate, row.input_len, row.output_len)


def main() -> None:
    """Print the ranges."""
    rows = scored_regimes(read_rows(SHARED))
    predictions = predict_all(rows)
    ratios: dict[str, dict[str, float]] = {}
    for row in rows:
        values = {
            name: measured_over_predicted(row, predictions[row.id], name) for name in MEASURES if row.id in predictions
        }
        ratios[row.id] = {name: value for name, value in values.items() if value}
    for measure in MEASURES:
        pairs: list[tuple[float, float]] = []
        count = 0
        for setup in setups(rows):
            found = corrected(setup, ratios, measure)
            count += bool(found)
            pairs += [(ratio, min(len(setup), MOST_VOTES) / len(found)) for ratio in found]
        low, high = (quantile(pairs, share) for share in ENDS)
        print(f"{measure}: {low:.2f} to {high:.2f}, {len(pairs)} pairs of {count} setups")


if __name__ == "__main__":
    main()
